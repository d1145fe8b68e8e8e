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

/** Sees to it that the ledger says of each device that is online here: its twin is here. */
export class TwinPlacement implements Disposable {
  readonly #options: TwinPlacementOptions;
  /** Devices whose placement is under way. */
  readonly #placing = new Set<string>();
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
      const { online } = thing.presence;
      if (online && !this.isHere(device) && !this.#placing.has(device)) this.#place(device);
    }
    this.#cancelTick = clock.after(TICK_MS, () => this.#tick());
  }

  #place(device: string): void {
    const { ledger, events } = this.#options;
    const epoch = (readState(ledger.state, 'twin', device)?.epoch ?? 0) + 1;
    const edge = ledger.node.name;
    this.#placing.add(device);
    record(ledger, { type: 'twin.place', body: { device, edge, epoch } })
      .catch((error: Error) => {
        // Tried again with a later tick: the ledger may have no quorum now.
        events.record('warn', 'twin-not-placed', { device, reason: error.message });
      })
      .finally(() => this.#placing.delete(device));
  }
}
