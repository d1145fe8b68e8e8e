import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { configurationError } from '#runtime/process/program-error.ts';
import { digestSchema } from '#shared/identity/digest.ts';

const markerSchema = z.strictObject({
  v: z.literal(1),
  genesis: digestSchema,
  /** Null where no file is trusted any more. */
  run: z.string().nullable(),
});

/** What a store says of itself. */
interface MarkedStore {
  readonly genesis: string;
  readonly run: string;
  readonly runsBefore: readonly string[];
  readonly hasSigned: boolean;
}

/**
 * A small file beside the key: which run of which ledger file signed last with it. A deleted or
 * exchanged database cannot say that of itself.
 */
export class SigningMarker {
  /**
   * Whether the store is the one that this key last signed by, as far as the marker can tell. A
   * store without a marker is trusted only if it never signed. The store knows its last two runs,
   * since the program may have been stopped before the marker was renewed.
   */
  readonly isTrusted: boolean;
  readonly #file: string;
  readonly #genesis: string;
  readonly #run: string;

  /** Error (exit 78): `signing-marker-damaged`. */
  constructor(file: string, { genesis, run, runsBefore, hasSigned }: MarkedStore) {
    this.#file = file;
    this.#genesis = genesis;
    this.#run = run;
    const marker = read(file);
    if (marker === undefined) this.isTrusted = !hasSigned;
    else {
      const isKnown = marker.run !== null && runsBefore.includes(marker.run);
      this.isTrusted = isKnown && marker.genesis === genesis;
    }
    if (this.isTrusted) this.renew();
  }

  /** From now on the store of this run is the one. */
  renew(): void {
    this.#write(this.#run);
  }

  /** The store has turned out not to be the newest: it stays so after a restart. */
  distrust(): void {
    this.#write(null);
  }

  /** Replaces the file as one step, also across a loss of power. */
  #write(run: string | null): void {
    const beside = `${this.#file}.new`;
    const descriptor = openSync(beside, 'w', 0o600);
    try {
      // All of it or an error: a full disk takes a part, and says so only to who writes the rest.
      writeFileSync(descriptor, `${JSON.stringify({ v: 1, genesis: this.#genesis, run })}\n`);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(beside, this.#file);
    const folder = openSync(dirname(this.#file), 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  }
}

function read(file: string): z.infer<typeof markerSchema> | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw damaged(file, cause);
  }
  try {
    return markerSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw damaged(file, cause);
  }
}

function damaged(file: string, cause: unknown): Error {
  const reason = (cause as Error).message.replace(/\s+/g, ' ');
  return configurationError(
    'signing-marker-damaged',
    `${file}: cannot read which ledger this key signed for last (${reason}); restore it, or ` +
      'write {"v":1,"genesis":"<digest>","run":null} into it so that the peers are asked',
    cause,
  );
}
