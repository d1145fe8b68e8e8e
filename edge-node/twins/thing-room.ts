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
