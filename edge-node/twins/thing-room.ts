import type { Thing } from '#shared/twin/document/thing.ts';
import type { ThingInput } from '#shared/twin/document/thing-step.ts';
import { reportedOf } from './thing-facts.ts';

/**
 * What all things together take, in characters of their JSON: devices and clients that fill things
 * to their limits must not fill the memory. What is decided upon together may go beyond it once.
 */
export class ThingRoom {
  readonly #sizeMax: number;
  readonly #sizes = new Map<string, number>();
  #total = 0;

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax;
  }

  /** Whether a thing may be as large; what grows no larger than it is always may. */
  admits(device: string, size: number): boolean {
    const before = this.#sizes.get(device) ?? 0;
    return size <= before || this.#total + size - before <= this.#sizeMax;
  }

  set(device: string, size: number): void {
    this.#total += size - (this.#sizes.get(device) ?? 0);
    this.#sizes.set(device, size);
  }

  delete(device: string): void {
    this.set(device, 0);
    this.#sizes.delete(device);
  }
}

/** What of an input is told though there is no room for more; `undefined` where nothing is. */
export function withoutGrowth(thing: Thing, input: ThingInput): ThingInput | undefined {
  if (input.kind === 'presence') {
    return Object.keys(input.units).length === 0 ? undefined : { ...input, units: {} };
  }
  if (input.kind !== 'reported') return undefined;
  const known = input.samples.filter(({ property }) => reportedOf(thing, property) !== undefined);
  return known.length === input.samples.length ? undefined : { ...input, samples: known };
}
