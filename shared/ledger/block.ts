import { z } from 'zod';
import { type Failure, fail, ok, type Result } from '../basics/result.ts';
import { bytesSchema } from '../codec/bytes-schema.ts';
import { decodeCanonical, encodeCanonical } from '../codec/canonical.ts';
import { type Digest, digestOf, digestOfPlain, digestSchema } from '../identity/digest.ts';
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

export function transactionsDigest(transactions: readonly EncodedTransaction[]): Digest {
  return digestOfPlain(transactions.map(({ digest }) => digest));
}

/** Canonical CBOR `{header, transactions: [bytes]}`. */
export function encodeBlock({ header, transactions }: Block): Uint8Array<ArrayBuffer> {
  return encodeCanonical({ header, transactions: transactions.map(({ bytes }) => bytes) });
}

/**
 * Inverse of {@link encodeBlock}: a block has one encoding, any other bytes are refused. Whether
 * the header tells the truth is for `executeBlock` to say. Transactions that `known` has are not
 * decoded again.
 */
export function decodeBlock(
  bytes: Uint8Array,
  known: KnownTransaction = () => undefined,
): Result<Block, BlockMalformed> {
  if (bytes.length > BLOCK_SIZE_BYTES_MAX) {
    return fail('block-malformed', `the block is larger than ${BLOCK_SIZE_BYTES_MAX} bytes`);
  }
  const decoded = decodeCanonical(bytes);
  if (!decoded.ok) return fail('block-malformed', `the block is ${decoded.error.message}`);
  const parsed = blockSchema.safeParse(decoded.value);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    return fail('block-malformed', `the block at ${path.join('.') || 'its root'}: ${message}`);
  }
  const { header } = parsed.data;
  const transactions: EncodedTransaction[] = [];
  for (const [index, encoded] of parsed.data.transactions.entries()) {
    const transaction = known(digestOf(encoded)) ?? decodeTransaction(encoded);
    if ('bytes' in transaction) transactions.push(transaction);
    else if (transaction.ok) transactions.push(transaction.value);
    else {
      return fail('block-malformed', `transaction ${index}: ${transaction.error.message}`);
    }
  }
  return ok({ header, transactions });
}
