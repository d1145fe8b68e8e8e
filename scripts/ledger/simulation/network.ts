import type { Random } from '#shared/basics/seeded-random.ts';
import type { NetworkFault } from './simulation-plan.ts';

const DELAY_TICKS = 10;

/** Whether and when a message gets through. */
export interface Network {
  /** Ticks until it arrives, once or more often; none if it is lost. */
  delays(from: string, to: string, nowTick: number): readonly number[];
  /** Keeps these instances and the others apart until then. */
  cutOff(instances: readonly string[], untilTick: number): void;
  /** Loses what this instance says until then. */
  silence(instance: string, untilTick: number): void;
  /** From now on everything arrives, and soon. */
  heal(): void;
  readonly healed: boolean;
}

export function createNetwork(random: Random, faults: ReadonlySet<NetworkFault>): Network {
  const cuts: { readonly apart: ReadonlySet<string>; readonly untilTick: number }[] = [];
  const silent = new Map<string, number>();
  const loss = faults.has('loss') ? random() * 0.3 : 0;
  let healed = false;

  function delay(): number {
    const slow = !healed && faults.has('delay') && random() < 0.2;
    return 1 + Math.floor(random() * (slow ? 30 : 1) * DELAY_TICKS);
  }

  return {
    get healed() {
      return healed;
    },
    delays(from, to, nowTick) {
      if (healed) return [delay()];
      const apart = cuts.some(
        (cut) => cut.untilTick > nowTick && cut.apart.has(from) !== cut.apart.has(to),
      );
      const lost = apart || (silent.get(from) ?? 0) > nowTick || random() < loss;
      if (lost) return [];
      return random() < 0.03 ? [delay(), delay()] : [delay()];
    },
    cutOff(instances, untilTick) {
      if (!healed) cuts.push({ apart: new Set(instances), untilTick });
      if (cuts.length > 8) cuts.shift();
    },
    silence(instance, untilTick) {
      silent.set(instance, untilTick);
    },
    heal() {
      healed = true;
    },
  };
}
