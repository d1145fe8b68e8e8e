import type { Thing } from '#shared/twin/document/thing.ts';
import { ThingRoom } from './thing-room.ts';

/** Of things that were deleted so many are remembered: by then nothing late comes of others. */
const DELETED_KEPT = 1000;

/** The things of a store by their devices, as they are committed. */
export class ThingTable {
  readonly room: ThingRoom;
  /** Also what was deleted, for what must be remembered of it. */
  readonly #things = new Map<string, Thing>();
  /** Their devices in order; of an earlier time where there are fewer than things. */
  #devices: readonly string[] = [];
  /** What is said of all of them until one changes. */
  #all: readonly Thing[] | undefined;
  #existing = 0;

  /** @param sizeMax - Of all of them, in characters of JSON. */
  constructor(sizeMax: number) {
    this.room = new ThingRoom(sizeMax);
  }

  /** Things that exist. */
  get existing(): number {
    return this.#existing;
  }

  /** All that exist, in the order of their devices' names; the same list until one changes. */
  all(): readonly Thing[] {
    this.#all ??= this.#list();
    return this.#all;
  }

  /** The thing of a device, be it one that was deleted. */
  get(device: string): Thing | undefined {
    return this.#things.get(device);
  }

  /** @param state - The thing as JSON. */
  set(device: string, thing: Thing, state: string): void {
    this.room.set(device, state.length);
    this.#existing += Number(thing.exists) - Number(this.#things.get(device)?.exists === true);
    this.#things.set(device, thing);
    this.#all = undefined;
  }

  /** Forgets one that was deleted. */
  delete(device: string): void {
    this.#things.delete(device);
    this.#all = undefined;
    this.room.delete(device);
    this.#devices = [];
  }

  /** Of those that were deleted the one that was first, where there are too many of them. */
  oldestDeleted(): string | undefined {
    if (this.#things.size - this.#existing <= DELETED_KEPT) return undefined;
    let oldest: [device: string, thing: Thing] | undefined;
    for (const entry of this.#things) {
      const [, { exists, modifiedMs }] = entry;
      if (!exists && (oldest === undefined || modifiedMs < oldest[1].modifiedMs)) oldest = entry;
    }
    return oldest?.[0];
  }

  #list(): Thing[] {
    if (this.#devices.length !== this.#things.size) {
      this.#devices = [...this.#things.keys()].sort();
    }
    const things: Thing[] = [];
    for (const device of this.#devices) {
      const thing = this.#things.get(device)!;
      if (thing.exists) things.push(thing);
    }
    return things;
  }
}
