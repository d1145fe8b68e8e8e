import { assert } from '#shared/basics/assert.ts';
import { decodeCanonical, encodeCanonical, type Plain } from '#shared/codec/canonical.ts';
import type { StateView, StateWrites } from '#shared/ledger/contract/state.ts';

/** Rough share of one entry beside its value: key, map, decoded objects. */
const ENTRY_SIZE_BYTES = 200;

/** Reads and writes encoded values; a missing one is undefined. */
export interface StateRows {
  get(key: string): Uint8Array | undefined;
  put(key: string, value: Uint8Array): void;
  delete(key: string): void;
}

/** The ledger's committed state, read through a cache of what was read or written last. */
export class StateCache implements StateView {
  readonly #rows: StateRows;
  readonly #sizeBytesMax: number;
  // In the order of their last use; an undefined value is known not to be there.
  readonly #known = new Map<string, { value: Plain | undefined; sizeBytes: number }>();
  #sizeBytes = 0;

  constructor(rows: StateRows, sizeBytesMax: number) {
    this.#rows = rows;
    this.#sizeBytesMax = sizeBytesMax;
  }

  get(key: string): Plain | undefined {
    const known = this.#known.get(key);
    if (known !== undefined) {
      this.#known.delete(key);
      this.#known.set(key, known);
      return known.value;
    }
    const bytes = this.#rows.get(key);
    if (bytes === undefined) {
      this.#keep(key, undefined, 0);
      return undefined;
    }
    const decoded = decodeCanonical(bytes);
    assert(decoded.ok, `the state's value of ${key} is canonical CBOR`);
    this.#keep(key, decoded.value, bytes.length);
    return decoded.value;
  }

  /** Writes the rows, and gives back what shows the writes here once they are committed. */
  write(writes: StateWrites): () => void {
    const sizes = new Map<string, number>();
    for (const [key, value] of writes) {
      if (value === undefined) this.#rows.delete(key);
      else {
        const bytes = encodeCanonical(value);
        this.#rows.put(key, bytes);
        sizes.set(key, bytes.length);
      }
    }
    return () => {
      for (const [key, value] of writes) this.#keep(key, value, sizes.get(key) ?? 0);
    };
  }

  #keep(key: string, value: Plain | undefined, valueSizeBytes: number): void {
    this.#forget(key);
    const sizeBytes = ENTRY_SIZE_BYTES + 4 * valueSizeBytes;
    this.#known.set(key, { value, sizeBytes });
    this.#sizeBytes += sizeBytes;
    while (this.#sizeBytes > this.#sizeBytesMax) this.#forget(this.#known.keys().next().value!);
  }

  #forget(key: string): void {
    const known = this.#known.get(key);
    if (known === undefined) return;
    this.#known.delete(key);
    this.#sizeBytes -= known.sizeBytes;
  }
}
