import { z } from 'zod';
import { bytesToHex, hexToBytes } from '../basics/bytes.ts';
import { type Failure, fail, ok, type Result } from '../basics/result.ts';
import { bytesSchema } from '../codec/bytes-schema.ts';
import { decodeCanonical, encodeCanonical } from '../codec/canonical.ts';
import {
  type Digest,
  digestOf,
  digestOfPlain,
  digestSchema,
  type Sha256,
} from '../identity/digest.ts';
import { nameSchema } from '../wire/names.ts';
import { decodeTransaction, type EncodedTransaction } from './transaction.ts';

export const BLOCK_SIZE_BYTES_MAX = 1024 * 1024;
export const BLOCK_TRANSACTIONS_MAX = 1000;

const headerSchema = z.strictObject({
  v: z.literal(1),
  chainId: nameSchema,
  /** 1 for the first block after the genesis. */
  height: z.int().min(1),
  /** Hash of the header before; of the genesis at height 1. */
  previous: digestSchema,
  /** Later than that of the block before. */
  timeMs: z.int().min(0),
  /** Digest of the list of the transactions' digests. */
  transactions: digestSchema,
  /** Digest of the state after this block. */
  state: digestSchema,
  /** Size and root of the transparency log after this block. */
  logSize: z.int().min(0),
  logRoot: digestSchema,
  /** Digest of the roster of this height, and of the next. */
  validators: digestSchema,
  nextValidators: digestSchema,
  /** Key id of the validator that made the block. */
  proposer: digestSchema,
});

const blockSchema = z.strictObject({
  header: headerSchema,
  transactions: z.array(bytesSchema).max(BLOCK_TRANSACTIONS_MAX),
});

export type BlockHeader = z.infer<typeof headerSchema>;

export interface Block {
  readonly header: BlockHeader;
  readonly transactions: readonly EncodedTransaction[];
}

export type BlockMalformed = Failure<'block-malformed'>;

/** Gives a transaction that was decoded before, by the digest of its bytes. */
export type KnownTransaction = (digest: Digest) => EncodedTransaction | undefined;

/** A block's hash is its header's, which binds all else; the consensus value id. */
export function blockHash(header: BlockHeader): Digest {
  return digestOfPlain(header);
}

export function transactionsDigest(
  transactions: readonly { readonly digest: Digest }[],
  sha256?: Sha256,
): Digest {
  return digestOfPlain(
    transactions.map(({ digest }) => digest),
    sha256,
  );
}

/** Canonical CBOR `{header, transactions: [bytes]}`. */
export function encodeBlock({ header, transactions }: Block): Uint8Array<ArrayBuffer> {
  return encodeCanonical({ header, transactions: transactions.map(({ bytes }) => bytes) });
}

/** A block of which some transactions are only named. */
export interface CompactBlock {
  readonly header: BlockHeader;
  readonly transactions: readonly (EncodedTransaction | NamedTransaction)[];
}

/** A transaction that is not here, by its digest alone. */
export interface NamedTransaction {
  readonly digest: Digest;
  readonly bytes?: undefined;
}

/**
 * As {@link encodeBlock}, with the digest's 32 bytes in place of each transaction that `isNamed`:
 * for somebody who is likely to have them. No transaction is as short.
 */
export function encodeCompactBlock(
  { header, transactions }: Block,
  isNamed: (digest: Digest) => boolean,
): Uint8Array<ArrayBuffer> {
  const parts = transactions.map(({ digest, bytes }) =>
    isNamed(digest) ? hexToBytes(digest)! : bytes,
  );
  return encodeCanonical({ header, transactions: parts });
}

export interface BlockDecoding {
  /** Transactions that it has are not decoded again. */
  readonly known?: KnownTransaction;
  readonly sha256?: Sha256;
}

/**
 * Inverse of {@link encodeBlock}: a block has one encoding, any other bytes are refused. Whether
 * the header tells the truth is for `executeBlock` to say.
 */
export function decodeBlock(
  bytes: Uint8Array,
  decoding: BlockDecoding = {},
): Result<Block, BlockMalformed> {
  const parts = decodeParts(bytes);
  if (!parts.ok) return parts;
  const { header } = parts.value;
  const transactions: EncodedTransaction[] = [];
  for (const [index, part] of parts.value.transactions.entries()) {
    const transaction = decodeWhole(part, index, decoding);
    if (!transaction.ok) return transaction;
    transactions.push(transaction.value);
  }
  return ok({ header, transactions });
}

/** Inverse of {@link encodeCompactBlock}; what is named and `known` is in its place. */
export function decodeCompactBlock(
  bytes: Uint8Array,
  decoding: BlockDecoding = {},
): Result<CompactBlock, BlockMalformed> {
  const parts = decodeParts(bytes);
  if (!parts.ok) return parts;
  const { header } = parts.value;
  const transactions: CompactBlock['transactions'][number][] = [];
  for (const [index, part] of parts.value.transactions.entries()) {
    if (part.length === DIGEST_SIZE_BYTES) {
      const digest = bytesToHex(part) as Digest;
      transactions.push(decoding.known?.(digest) ?? { digest });
      continue;
    }
    const transaction = decodeWhole(part, index, decoding);
    if (!transaction.ok) return transaction;
    transactions.push(transaction.value);
  }
  return ok({ header, transactions });
}

const DIGEST_SIZE_BYTES = 32;

function decodeParts(bytes: Uint8Array): Result<z.infer<typeof blockSchema>, BlockMalformed> {
  if (bytes.length > BLOCK_SIZE_BYTES_MAX) {
    return fail('block-malformed', `the block is larger than ${BLOCK_SIZE_BYTES_MAX} bytes`);
  }
  const decoded = decodeCanonical(bytes);
  if (!decoded.ok) return fail('block-malformed', `the block is ${decoded.error.message}`);
  const parsed = blockSchema.safeParse(decoded.value);
  if (parsed.success) return ok(parsed.data);
  const { path, message } = parsed.error.issues[0]!;
  return fail('block-malformed', `the block at ${path.join('.') || 'its root'}: ${message}`);
}

function decodeWhole(
  bytes: Uint8Array,
  index: number,
  { known, sha256 }: BlockDecoding,
): Result<EncodedTransaction, BlockMalformed> {
  const digest = digestOf(bytes, sha256);
  const before = known?.(digest);
  if (before !== undefined) return ok(before);
  const decoded = decodeTransaction(bytes, digest);
  if (decoded.ok) return decoded;
  return fail('block-malformed', `transaction ${index}: ${decoded.error.message}`);
}
