import { z } from 'zod';
import { type Failure, fail, ok, type Result } from '../basics/result.ts';
import { decodeCanonical, encodeCanonical } from '../codec/canonical.ts';
import { type Digest, digestOfPlain, digestSchema } from '../identity/digest.ts';
import type { PublicKey } from '../identity/keys.ts';
import { type Signer, signatureSchema, type VerifySignature } from '../identity/signature.ts';
import { type LedgerRecord, recordsSchema } from './record.ts';

const CONTEXT = 'diten/ledger/block/v1';

const headerSchema = z.strictObject({
  v: z.literal(1),
  /** 1 for the first block after the genesis. */
  height: z.int().min(1),
  /** Hash of the header before; of the genesis at height 1. */
  previous: digestSchema,
  timeMs: z.int().min(0),
  records: digestSchema,
  /** Key id of the validator that signs. */
  proposer: digestSchema,
});

const blockSchema = z.strictObject({
  header: headerSchema,
  /** The proposer's, over the header's canonical bytes in the context `diten/ledger/block/v1`. */
  signature: signatureSchema,
  records: recordsSchema,
});

export type BlockHeader = z.infer<typeof headerSchema>;
export type Block = z.infer<typeof blockSchema>;

/** A block's hash is its header's, which binds the records by their digest. */
export function blockHash(header: BlockHeader): Digest {
  return digestOfPlain(header);
}

export function recordsDigest(records: readonly LedgerRecord[]): Digest {
  return digestOfPlain(records);
}

/** Puts the proposer's signature to a header. */
export function signBlock(header: BlockHeader, records: LedgerRecord[], signer: Signer): Block {
  return { header, signature: signer.sign(CONTEXT, encodeCanonical(header)), records };
}

export function isSignedBy(
  { header, signature }: Block,
  publicKey: PublicKey,
  verifySignature: VerifySignature,
): boolean {
  const message = encodeCanonical(header);
  return verifySignature({ publicKey, context: CONTEXT, message, signature });
}

export function encodeBlock(block: Block): Uint8Array {
  return encodeCanonical(block);
}

/** Inverse of {@link encodeBlock}: a block has one encoding, any other bytes are refused. */
export function decodeBlock(bytes: Uint8Array): Result<Block, Failure<'block-malformed'>> {
  const decoded = decodeCanonical(bytes);
  if (!decoded.ok) return fail('block-malformed', `the block is ${decoded.error.message}`);
  const parsed = blockSchema.safeParse(decoded.value);
  if (parsed.success) return ok(parsed.data);
  const { path, message } = parsed.error.issues[0]!;
  return fail('block-malformed', `the block at ${path.join('.') || 'its root'}: ${message}`);
}
