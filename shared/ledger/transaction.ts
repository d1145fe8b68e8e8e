import { z } from 'zod';
import { type Failure, fail, ok, type Result } from '../basics/result.ts';
import { decodeCanonical, encodeCanonical, type Plain } from '../codec/canonical.ts';
import {
  type AccountKey,
  type AccountSigner,
  accountIdOf,
  type VerifyAccount,
} from '../identity/account-key.ts';
import { type Digest, digestOf, digestSchema } from '../identity/digest.ts';
import { signatureSchema } from '../identity/signature.ts';
import { type BodyOf, bodySchemaOf, type TransactionType } from './contract/contract-table.ts';
import { TRANSACTION_SIZE_BYTES_MAX } from './log-entry.ts';

const CONTEXT = 'diten/ledger/transaction/v1';

const envelopeSchema = z.strictObject({
  v: z.literal(1),
  type: z.string().max(40),
  /** Its schema is the type's. */
  body: z.unknown(),
  /** One more than the signer's last; 1 for its first. */
  signerSequence: z.int().min(1),
  /** The last height at which it may take effect. */
  notAfterHeight: z.int().min(1),
  keyId: digestSchema,
  algorithm: z.enum(['ed25519', 'p256']),
  signature: signatureSchema,
});

/** A type with the body that goes with it. */
export type TransactionContent = {
  [Type in TransactionType]: { readonly type: Type; readonly body: BodyOf<Type> };
}[TransactionType];

export type Transaction = TransactionContent &
  Readonly<Omit<z.infer<typeof envelopeSchema>, 'type' | 'body'>>;

/** A transaction with the only bytes it has, and their SHA-256: its name. */
export interface EncodedTransaction {
  readonly transaction: Transaction;
  readonly bytes: Uint8Array;
  readonly digest: Digest;
}

export type TransactionMalformed = Failure<'transaction-malformed'>;

/** Where a transaction stands: the chain it is for, its signer's sequence, and until when. */
export interface TransactionPlace {
  readonly chainId: string;
  readonly signerSequence: number;
  readonly notAfterHeight: number;
}

/**
 * Signs and encodes. Fails with `transaction-malformed` where the body is not one of its type or
 * the whole is too large.
 */
export function signTransaction(
  content: TransactionContent,
  { chainId, signerSequence, notAfterHeight }: TransactionPlace,
  signer: AccountSigner,
): Result<EncodedTransaction, TransactionMalformed> {
  const { type, body } = content;
  const unsigned = {
    ...{ v: 1, type, body: body as Plain, signerSequence, notAfterHeight },
    ...{ keyId: accountIdOf(signer.key), algorithm: signer.key.algorithm },
  };
  const signature = signer.sign(CONTEXT, encodeCanonical({ ...unsigned, chainId }));
  return decodeTransaction(encodeCanonical({ ...unsigned, signature }));
}

/**
 * A transaction out of its canonical CBOR, the body checked too; no signature is. `digest` is that
 * of the bytes, where it is known.
 */
export function decodeTransaction(
  bytes: Uint8Array,
  digest?: Digest,
): Result<EncodedTransaction, TransactionMalformed> {
  if (bytes.length > TRANSACTION_SIZE_BYTES_MAX) {
    return malformed(`is larger than ${TRANSACTION_SIZE_BYTES_MAX} bytes`);
  }
  const decoded = decodeCanonical(bytes);
  if (!decoded.ok) return malformed(`is ${decoded.error.message}`);
  const envelope = envelopeSchema.safeParse(decoded.value);
  if (!envelope.success) return malformed(sentenceOf(envelope.error));
  const schema = bodySchemaOf(envelope.data.type);
  if (schema === undefined) {
    return malformed('is of no type that this version knows; check its type, or update this node');
  }
  const body = schema.safeParse(envelope.data.body);
  if (!body.success) return malformed(`has a body that ${sentenceOf(body.error)}`);
  const transaction = { ...envelope.data, body: body.data } as Transaction;
  return ok({ transaction, bytes, digest: digest ?? digestOf(bytes) });
}

/** Whether `key` signed the transaction for that chain. */
export function isSignedTransaction(
  { transaction }: EncodedTransaction,
  key: AccountKey,
  { chainId, verify }: { readonly chainId: string; readonly verify: VerifyAccount },
): boolean {
  const { signature, ...unsigned } = transaction;
  if (key.algorithm !== unsigned.algorithm) return false;
  const body = unsigned.body as Plain;
  const message = encodeCanonical({ ...unsigned, body, chainId });
  return verify({ key, context: CONTEXT, message, signature });
}

function sentenceOf({ issues }: z.ZodError): string {
  const { path, message } = issues[0]!;
  return `is wrong at ${path.join('.') || 'its root'}: ${message}`;
}

function malformed(what: string): Result<never, TransactionMalformed> {
  return fail('transaction-malformed', `the transaction ${what}`);
}
