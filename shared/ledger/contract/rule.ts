import type { z } from 'zod';
import { type Failure, fail, type Result } from '../../basics/result.ts';
import type { VerifyAccount } from '../../identity/account-key.ts';
import type { KeyId } from '../../identity/keys.ts';
import type { StateView, StateWrites } from './state.ts';

/** As what a key signs: an edge node, validator or follower; a device, known or about to be. */
export type Role = 'operator' | 'node' | 'device' | 'new-device';

export interface TransactionSigner {
  readonly keyId: KeyId;
  readonly role: Role;
  /** The edge node's or device's name; an operator has none. */
  readonly name: string | undefined;
}

/** Where a transaction is applied; the same for every validator. */
export interface RuleContext {
  readonly chainId: string;
  readonly height: number;
  /** The block's time: rules know no other clock. */
  readonly timeMs: number;
  readonly signer: TransactionSigner;
  /** For signatures inside bodies. */
  readonly verify: VerifyAccount;
}

/** Why a transaction is recorded without effect. */
export type RejectionCode =
  | 'expired'
  | 'not-permitted'
  | 'already-approved'
  | 'name-taken'
  | 'key-taken'
  | 'unchanged'
  | 'unknown-validator'
  | 'last-validator'
  | 'too-many-validators'
  | 'unknown-operator'
  | 'last-operator'
  | 'too-many-operators'
  | 'device-exists'
  | 'unknown-device'
  | 'device-not-active'
  | 'wrong-proof'
  | 'voucher-exists'
  | 'voucher-expired'
  | 'voucher-spent'
  | 'voucher-for-another'
  | 'grant-exists'
  | 'unknown-grant'
  | 'grant-expired'
  | 'too-many-grants'
  | 'epoch-not-next'
  | 'duplicate-task'
  | 'unknown-task'
  | 'round-not-next'
  | 'unknown-base'
  | 'duplicate-update'
  | 'duplicate-version'
  | 'wrong-aggregator'
  | 'unknown-parent'
  | 'lineage-incomplete'
  | 'duplicate-contribution'
  | 'not-evidence'
  | 'evidence-too-old'
  | 'duplicate-evidence'
  | 'evidence-pending'
  | 'evidence-answered'
  | 'not-an-answer';

export type Rejection = Failure<RejectionCode>;

/** What became of a transaction in a block: `accepted`, or why it had no effect. */
export type Outcome = 'accepted' | RejectionCode;

/** The writes that a transaction brings about in this state, or why it brings about none. */
export type Rule<Body> = (
  view: StateView,
  body: Body,
  context: RuleContext,
) => Result<StateWrites, Rejection>;

/** One type of transaction. */
export interface ContractEntry<Schema extends z.ZodType> {
  readonly body: Schema;
  /** Who may sign it; where a key has several roles the first here counts. */
  readonly signedBy: readonly Role[];
  readonly rule: Rule<z.infer<Schema>>;
}

export function contractEntry<Schema extends z.ZodType>(
  entry: ContractEntry<Schema>,
): ContractEntry<Schema> {
  return entry;
}

export function reject(code: RejectionCode, message: string): Result<never, Rejection> {
  return fail(code, message);
}
