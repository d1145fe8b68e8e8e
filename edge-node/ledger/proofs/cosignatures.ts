import { z } from 'zod';
import { bytesEqual } from '#shared/basics/bytes.ts';
import { type Failure, fail, ok, type Result } from '#shared/basics/result.ts';
import { decodeCanonical, encodeCanonical } from '#shared/codec/canonical.ts';
import type { PublicKey } from '#shared/identity/keys.ts';
import type { VerifyRaw } from '#shared/identity/signature.ts';
import type { Validator } from '#shared/ledger/genesis.ts';
import {
  checkpointText,
  cosignatureTimeMs,
  cosignerNameOf,
  isLogSignature,
  originOf,
} from '#shared/ledger/log/checkpoint.ts';
import { noteKey } from '#shared/ledger/log/note-key.ts';
import { encodeNote } from '#shared/ledger/log/signed-note.ts';
import type { Roster } from '#shared/ledger/roster.ts';

/** Of one validator; the newest count. The slowest of a quorum may lag by so many checkpoints. */
const KEPT_MAX = 8;

const bytesOf = (length: number) =>
  z
    .instanceof(Uint8Array)
    .refine((bytes) => bytes.length === length, `expected ${length} bytes`)
    .transform((bytes): Uint8Array => bytes);

const cosignatureSchema = z.strictObject({
  v: z.literal(1),
  size: z.int().min(1),
  root: bytesOf(32),
  /** The validator's log key's, as a signed note has it. */
  logSignature: bytesOf(64),
  /** The validator's cosigner key's: 8 bytes of time, 64 of signature. */
  cosignature: bytesOf(72),
});

/** A validator's two signatures on the head of the log at a size. */
export type Cosignature = z.infer<typeof cosignatureSchema>;

export function encodeCosignature(cosignature: Cosignature): Uint8Array<ArrayBuffer> {
  return encodeCanonical({ ...cosignature });
}

/** Inverse of {@link encodeCosignature}; nothing is verified. */
export function decodeCosignature(
  bytes: Uint8Array,
): Result<Cosignature, Failure<'checkpoint-malformed'>> {
  const decoded = decodeCanonical(bytes);
  if (!decoded.ok) return fail('checkpoint-malformed', decoded.error.message);
  const parsed = cosignatureSchema.safeParse(decoded.value);
  if (parsed.success) return ok(parsed.data);
  const { path, message } = parsed.error.issues[0]!;
  return fail('checkpoint-malformed', `at ${path.join('.') || 'its root'}: ${message}`);
}

/** Whether both signatures are the validator's on that head of the chain's log. */
export function isCosigned(
  { size, root, logSignature, cosignature }: Cosignature,
  { name, log, cosigner }: Validator,
  { chainId, verify }: { readonly chainId: string; readonly verify: VerifyRaw },
): boolean {
  const text = checkpointText({ origin: originOf(chainId), size, root });
  const [logKey, cosignerKey] = keysOf(chainId, { name, log, cosigner });
  const signatureOf = (key: typeof logKey, bytes: Uint8Array) => ({
    ...{ name: key.name, keyId: key.keyId, bytes },
  });
  return (
    isLogSignature(text, logKey, signatureOf(logKey, logSignature), verify) &&
    cosignatureTimeMs(text, cosignerKey, signatureOf(cosignerKey, cosignature), verify) !==
      undefined
  );
}

/** The newest cosignatures of each validator, verified; bounded for each. */
export class Cosignatures {
  readonly #chainId: string;
  // By cosigner key, so that a validator with new keys begins anew.
  readonly #kept = new Map<PublicKey, Cosignature[]>();

  constructor(chainId: string) {
    this.#chainId = chainId;
  }

  put(validator: Validator, cosignature: Cosignature): void {
    const kept = this.#of(validator).filter(({ size }) => size !== cosignature.size);
    this.#kept.set(validator.cosigner, [...kept, cosignature].slice(-KEPT_MAX));
  }

  drop(validator: Validator, size: number): void {
    const kept = this.#of(validator).filter((one) => one.size !== size);
    this.#kept.set(validator.cosigner, kept);
  }

  has(validator: Validator, { size, root, cosignature }: Cosignature): boolean {
    return this.#of(validator).some(
      (one) =>
        one.size === size && bytesEqual(one.root, root) && bytesEqual(one.cosignature, cosignature),
    );
  }

  /** Forgets validators that are not in the roster. */
  keepOnly({ members }: Roster): void {
    const present = new Set(members.map(({ cosigner }) => cosigner));
    for (const key of this.#kept.keys()) if (!present.has(key)) this.#kept.delete(key);
  }

  /** The sizes up to `sizeMax` that somebody has cosigned, the largest first. */
  sizes(sizeMax: number): number[] {
    const sizes = [...this.#kept.values()].flat().map(({ size }) => size);
    return [...new Set(sizes)].filter((size) => size <= sizeMax).sort((a, b) => b - a);
  }

  /**
   * The note of that head with one log signature and the cosignatures of the roster's validators;
   * undefined where there are none. Those on another root of that size are told in `forked`.
   */
  noteOf(
    { size, root }: Pick<Cosignature, 'size' | 'root'>,
    { members }: Roster,
  ): { readonly note: string | undefined; readonly forked: readonly Validator[] } {
    const voters = members.filter(({ weight }) => weight > 0);
    const found = voters.flatMap((voter) => {
      const cosignature = this.#of(voter).find((one) => one.size === size);
      return cosignature === undefined ? [] : [{ voter, cosignature }];
    });
    const agreeing = found.filter(({ cosignature }) => bytesEqual(cosignature.root, root));
    const forked = found.filter((one) => !agreeing.includes(one)).map(({ voter }) => voter);
    const [first] = agreeing;
    if (first === undefined) return { note: undefined, forked };
    const [logKey] = keysOf(this.#chainId, first.voter);
    const signatures = agreeing.map(({ voter, cosignature }) => {
      const [, { name, keyId }] = keysOf(this.#chainId, voter);
      return { name, keyId, bytes: cosignature.cosignature };
    });
    const { name, keyId } = logKey;
    const note = encodeNote({
      text: checkpointText({ origin: originOf(this.#chainId), size, root }),
      signatures: [{ name, keyId, bytes: first.cosignature.logSignature }, ...signatures],
    });
    return { note, forked };
  }

  #of({ cosigner }: Validator): readonly Cosignature[] {
    return this.#kept.get(cosigner) ?? [];
  }
}

function keysOf(
  chainId: string,
  { name, log, cosigner }: Pick<Validator, 'name' | 'log' | 'cosigner'>,
) {
  return [
    noteKey('log', originOf(chainId), log),
    noteKey('cosigner', cosignerNameOf(name, chainId), cosigner),
  ] as const;
}
