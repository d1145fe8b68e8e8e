import type { Clock } from '#runtime/clock/clock.ts';
import type { Events } from '#runtime/observe/events.ts';
import { readState } from '#shared/ledger/contract/state.ts';
import { type LearningLedger, record } from '../federation/learning-ledger.ts';
import { deviceOf } from './thing-facts.ts';
import type { TwinStore } from './twin-store.ts';

const TICK_MS = 500;

export interface TwinPlacementOptions {
  readonly ledger: LearningLedger;
  readonly twins: TwinStore;
  readonly clock: Clock;
  readonly events: Events;
}

/**
 * Sees to it that the ledger says of each device that comes online here: its twin is here. Where
 * another edge node takes it afterwards, the later one has it: of two devices under one name, or
 * one whose old connection is still to time out, the ledger does not go back and forth.
 */
export class TwinPlacement implements Disposable {
  readonly #options: TwinPlacementOptions;
  /** Devices whose twin was taken since they came online, or is being taken. */
  readonly #taken = new Set<string>();
  #cancelTick: () => void = () => undefined;

  constructor(options: TwinPlacementOptions) {
    this.#options = options;
    this.#tick();
  }

  isHere(device: string): boolean {
    const { ledger } = this.#options;
    return readState(ledger.state, 'twin', device)?.edge === ledger.node.name;
  }

  [Symbol.dispose](): void {
    this.#cancelTick();
  }

  #tick(): void {
    const { twins, clock } = this.#options;
    for (const thing of twins.all()) {
      const device = deviceOf(thing);
      if (!thing.presence.online) this.#taken.delete(device);
      else if (!this.#taken.has(device)) this.#take(device);
    }
    this.#cancelTick = clock.after(TICK_MS, () => this.#tick());
  }

  #take(device: string): void {
    const { ledger, events } = this.#options;
    this.#taken.add(device);
    if (this.isHere(device)) return;
    const epoch = (readState(ledger.state, 'twin', device)?.epoch ?? 0) + 1;
    const edge = ledger.node.name;
    record(ledger, { type: 'twin.place', body: { device, edge, epoch } }).catch((error: Error) => {
      // Tried again with the next tick: the ledger may have no quorum now.
      this.#taken.delete(device);
      events.record('warn', 'twin-not-placed', { device, reason: error.message });
    });
  }
}
