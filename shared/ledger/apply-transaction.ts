import { type Failure, fail, ok, type Result } from '../basics/result.ts';
import { type AccountKey, accountIdOf, type VerifyAccount } from '../identity/account-key.ts';
import type { Digest } from '../identity/digest.ts';
import type { ChainState } from './chain-state.ts';
import { contractOf } from './contract/contract-table.ts';
import {
  type Outcome,
  type Rejection,
  type Role,
  type RuleContext,
  reject,
  type TransactionSigner,
} from './contract/rule.ts';
import { change, readState, type StateView, type StateWrites } from './contract/state.ts';
import { isVouchedFor } from './contract/vouchers.ts';
import { type EncodedTransaction, isSignedTransaction, type Transaction } from './transaction.ts';

/** Why a transaction fits in no block at this point; nothing of it is recorded. */
export type NotIncludable = Failure<
  'unknown-key' | 'stale-sequence' | 'sequence-gap' | 'wrong-signature'
>;

/** Why a transaction is not taken to be put into a block. */
export type AdmissionFailure = NotIncludable | Rejection;

/** How signatures are checked. */
export interface SignatureVerification {
  readonly verify: VerifyAccount;
  /**
   * Tells of transactions that {@link admitTransaction} took on this chain, by digest: their own
   * signature is not checked again.
   */
  readonly isVerified?: (digest: Digest) => boolean;
}

/** Where a transaction is applied. */
export type ApplyContext = Omit<RuleContext, 'signer' | 'verify'> & SignatureVerification;

export interface Applied {
  readonly outcome: Outcome;
  /** What the outcome says, where it is not `accepted`. */
  readonly rejection: Rejection | undefined;
  /** Of a rejected one, that its sequence is used. */
  readonly writes: StateWrites;
}

interface FoundSigner {
  readonly signer: TransactionSigner;
  readonly key: AccountKey;
}

const ROLES: readonly Role[] = ['node', 'operator', 'device'];

/** Applies a transaction; fails where it is not includable, and leaves the view as it was. */
export function applyTransaction(
  view: StateView,
  encoded: EncodedTransaction,
  context: ApplyContext,
): Result<Applied, NotIncludable> {
  const { transaction, digest } = encoded;
  const { keyId, signerSequence } = transaction;
  const { chainId, verify, isVerified } = context;
  const found = findSigner(view, transaction, context);
  if (found === undefined) {
    return fail('unknown-key', `no key on the ledger has the id ${keyId}; enrol it first`);
  }
  const next = (readState(view, 'signer', keyId) ?? 0) + 1;
  if (signerSequence < next) {
    return fail('stale-sequence', `sequence ${signerSequence} was used; the next is ${next}`);
  }
  if (signerSequence > next) {
    return fail('sequence-gap', `sequence ${signerSequence} leaves a gap; the next is ${next}`);
  }
  const isSigned =
    isVerified?.(digest) === true || isSignedTransaction(encoded, found.key, { chainId, verify });
  if (!isSigned) {
    return fail('wrong-signature', `the transaction is not signed by ${keyId} for this chain`);
  }
  const ruled = applyRule(view, transaction, { ...context, signer: found.signer });
  const used = change('signer', keyId, signerSequence);
  if (ruled.ok) {
    const writes = new Map(ruled.value).set(...used);
    return ok({ outcome: 'accepted', rejection: undefined, writes });
  }
  const { error: rejection } = ruled;
  return ok({ outcome: rejection.code, rejection, writes: new Map([used]) });
}

/**
 * Whether a transaction may go into the next block, and what it would write. The view may be one of
 * the state with the writes of those admitted before laid over it, so that a signer's transactions
 * need not wait for each other's blocks. `timeMs` is about that of the next block.
 */
export function admitTransaction(
  { chainId, head }: ChainState,
  view: StateView,
  encoded: EncodedTransaction,
  { timeMs, verify }: { readonly timeMs: number; readonly verify: VerifyAccount },
): Result<StateWrites, AdmissionFailure> {
  const context = { chainId, height: head.height + 1, timeMs, verify };
  const applied = applyTransaction(view, encoded, context);
  if (!applied.ok) return applied;
  const { rejection, writes } = applied.value;
  return rejection === undefined ? ok(writes) : { ok: false, error: rejection };
}

function applyRule(
  view: StateView,
  { type, body, notAfterHeight }: Transaction,
  context: RuleContext,
): Result<StateWrites, Rejection> {
  const { height, signer } = context;
  if (height > notAfterHeight) {
    return reject('expired', `it was to take effect up to height ${notAfterHeight}`);
  }
  const { signedBy, rule } = contractOf(type);
  if (!signedBy.includes(signer.role)) {
    return reject('not-permitted', `"${type}" is signed by ${signedBy.join(' or ')}`);
  }
  // The body has passed the schema of just this type.
  return rule(view, body as never, context);
}

/** The signer in the role that its type asks for, else in another that its key has. */
function findSigner(
  view: StateView,
  transaction: Transaction,
  context: ApplyContext,
): FoundSigner | undefined {
  const { signedBy } = contractOf(transaction.type);
  for (const role of [...signedBy, ...ROLES]) {
    const found = findInRole(view, transaction, role, context);
    if (found !== undefined) return found;
  }
  return undefined;
}

function findInRole(
  view: StateView,
  transaction: Transaction,
  role: Role,
  context: ApplyContext,
): FoundSigner | undefined {
  const { keyId } = transaction;
  switch (role) {
    case 'node': {
      const member = readState(view, 'validator', keyId)?.entry;
      if (member === undefined) return undefined;
      const key = { algorithm: 'ed25519', publicKey: member.publicKey } as const;
      return { signer: { keyId, role, name: member.name }, key };
    }
    case 'operator': {
      const key = readState(view, 'operator', keyId);
      return key && { signer: { keyId, role, name: undefined }, key };
    }
    case 'device': {
      const known = readState(view, 'key', keyId);
      return known && { signer: { keyId, role, name: known.device }, key: known.key };
    }
    case 'new-device': {
      if (transaction.type !== 'device.enrol') return undefined;
      const { device, key, voucher } = transaction.body;
      if (voucher === null || accountIdOf(key) !== keyId) return undefined;
      if (!isVouchedFor(view, { use: voucher, device, key }, context)) return undefined;
      return { signer: { keyId, role, name: device }, key };
    }
  }
}
