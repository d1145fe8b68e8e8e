import { z } from 'zod';
import { ok, type Result } from '../../basics/result.ts';
import { type AccountKey, accountIdOf, accountKeySchema } from '../../identity/account-key.ts';
import { digestOfPlain, digestSchema } from '../../identity/digest.ts';
import { type KeyId, keyIdOf } from '../../identity/keys.ts';
import {
  keysOf,
  MEMBERS_MAX,
  OPERATORS_MAX,
  VALIDATORS_MAX,
  type Validator,
  validatorSchema,
} from '../genesis.ts';
import { contractEntry, type Rejection, type Rule, type RuleContext, reject } from './rule.ts';
import { change, createOverlay, readState, type StateView, type StateWrites } from './state.ts';

const removalSchema = z.strictObject({ keyId: digestSchema });
const operatorSchema = z.strictObject({ key: accountKeySchema });

/**
 * Who takes part and who governs. A change takes effect with the approval of f + 1 of n operators,
 * f = floor((n - 1) / 3), each of whom sends the same body.
 */
export const membershipContract = {
  /** Also changes a member that is there: its weight, keys beside its first, or addresses. */
  'validator.add': contractEntry({
    body: validatorSchema,
    signedBy: ['operator'],
    rule: withApproval('validator.add', addValidator),
  }),
  'validator.remove': contractEntry({
    body: removalSchema,
    signedBy: ['operator'],
    rule: withApproval('validator.remove', removeValidator),
  }),
  'operator.add': contractEntry({
    body: operatorSchema,
    signedBy: ['operator'],
    rule: withApproval('operator.add', addOperator),
  }),
  'operator.remove': contractEntry({
    body: removalSchema,
    signedBy: ['operator'],
    rule: withApproval('operator.remove', removeOperator),
  }),
};

/** All members, in the order of their key ids. */
export function membersOf(view: StateView): Validator[] {
  const ids = readState(view, 'list', 'members') ?? [];
  return ids.map((id) => readState(view, 'validator', id)!.entry);
}

/** What puts members and operators into an empty state, as they are at genesis. */
export function membershipWrites(
  validators: readonly Validator[],
  operators: readonly AccountKey[],
): StateWrites {
  const ids = validators.map(({ publicKey }) => keyIdOf(publicKey));
  return new Map([
    change('list', 'members', [...ids].sort()),
    change('list', 'operators', operators.map(accountIdOf).sort()),
    change('roster', 'voters', { sinceHeight: 1 }),
    ...validators.map((entry, i) => change('validator', ids[i]!, { entry, sinceHeight: 1 })),
    ...operators.map((key) => change('operator', accountIdOf(key), key)),
  ]);
}

/**
 * Takes their vote from members, who follow from then on; nobody's where nobody would be left.
 */
export function demotionWrites(
  view: StateView,
  keyIds: readonly string[],
  { height }: RuleContext,
): StateWrites {
  const voters = new Set<string>(votersOf(view));
  const demoted = keyIds.filter((id) => voters.has(id));
  if (demoted.length === 0 || demoted.length === voters.size) return new Map();
  const known = demoted.map((id) => [id, readState(view, 'validator', id)!] as const);
  return new Map([
    ...known.map(([id, { entry, sinceHeight }]) =>
      change('validator', id, { entry: { ...entry, weight: 0 }, sinceHeight }),
    ),
    change('roster', 'voters', { sinceHeight: height + 2 }),
  ]);
}

function votersOf(view: StateView): KeyId[] {
  return membersOf(view)
    .filter(({ weight }) => weight > 0)
    .map(({ publicKey }) => keyIdOf(publicKey));
}

function withApproval<Body extends Parameters<typeof digestOfPlain>[0]>(
  type: string,
  effect: Rule<Body>,
): Rule<Body> {
  return (view, body, context) => {
    const applied = effect(view, body, context);
    if (!applied.ok) return applied;
    const { keyId } = context.signer;
    const digest = digestOfPlain([type, body]);
    const operators = readState(view, 'list', 'operators')!;
    const given = readState(view, 'approval', digest) ?? [];
    if (given.includes(keyId)) {
      return reject('already-approved', `this operator has approved this ${type} before`);
    }
    // An operator who was removed since does not count any more.
    const approvals = [...given, keyId].filter((id) => operators.includes(id)).sort();
    if (approvals.length <= Math.floor((operators.length - 1) / 3)) {
      return ok(new Map([change('approval', digest, approvals)]));
    }
    const state = createOverlay(view);
    state.write(applied.value);
    state.write(new Map([change('approval', digest, undefined)]));
    return ok(state.writes);
  };
}

function addValidator(
  view: StateView,
  entry: Validator,
  { height }: RuleContext,
): Result<StateWrites, Rejection> {
  const keyId = keyIdOf(entry.publicKey);
  const known = readState(view, 'validator', keyId);
  if (known !== undefined && digestOfPlain(known.entry) === digestOfPlain(entry)) {
    return reject('unchanged', `"${entry.name}" is a member in just this way already`);
  }
  const others = membersOf(view).filter(({ publicKey }) => publicKey !== entry.publicKey);
  const conflict = conflictWith(view, entry, others);
  if (conflict !== undefined) return conflict;
  const voters = others.filter(({ weight }) => weight > 0).length + (entry.weight > 0 ? 1 : 0);
  if (voters === 0) {
    return reject('last-validator', 'without the weight of this member nobody would vote');
  }
  if (voters > VALIDATORS_MAX || others.length >= MEMBERS_MAX) {
    return reject(
      'too-many-validators',
      `${VALIDATORS_MAX} validators and ${MEMBERS_MAX} members at most; remove one first`,
    );
  }
  const hadVote = known !== undefined && known.entry.weight > 0;
  const sinceHeight =
    hadVote || entry.weight === 0 ? (known?.sinceHeight ?? height + 2) : height + 2;
  const state = createOverlay(view);
  state.write(new Map([change('validator', keyId, { entry, sinceHeight })]));
  if (known === undefined) {
    const ids = [...readState(view, 'list', 'members')!, keyId].sort();
    state.write(new Map([change('list', 'members', ids)]));
  }
  if ((known?.entry.weight ?? 0) !== entry.weight) {
    state.write(new Map([change('roster', 'voters', { sinceHeight: height + 2 })]));
  }
  if (!hadVote && readState(view, 'accused', keyId) !== undefined) {
    state.write(new Map([change('accused', keyId, undefined)]));
  }
  return ok(state.writes);
}

function conflictWith(
  view: StateView,
  entry: Validator,
  others: readonly Validator[],
): Result<never, Rejection> | undefined {
  if (others.some(({ name }) => name === entry.name)) {
    return reject('name-taken', `another member is called "${entry.name}"`);
  }
  const taken = new Set(others.flatMap(keysOf));
  const isDevice = readState(view, 'key', keyIdOf(entry.publicKey)) !== undefined;
  if (isDevice || keysOf(entry).some((key) => taken.has(key))) {
    return reject('key-taken', `a key of "${entry.name}" is another's already`);
  }
  return undefined;
}

function removeValidator(
  view: StateView,
  { keyId }: z.infer<typeof removalSchema>,
  { height }: RuleContext,
): Result<StateWrites, Rejection> {
  if (readState(view, 'validator', keyId) === undefined) {
    return reject('unknown-validator', `no member has the key id ${keyId}`);
  }
  const voters = votersOf(view);
  if (voters.every((id) => id === keyId)) {
    return reject('last-validator', 'without this member nobody would vote');
  }
  const state = createOverlay(view);
  const ids = readState(view, 'list', 'members')!.filter((id) => id !== keyId);
  state.write(new Map([change('list', 'members', ids), change('validator', keyId, undefined)]));
  if (voters.includes(keyId)) {
    state.write(new Map([change('roster', 'voters', { sinceHeight: height + 2 })]));
  }
  return ok(state.writes);
}

function addOperator(
  view: StateView,
  { key }: z.infer<typeof operatorSchema>,
): Result<StateWrites, Rejection> {
  const keyId = accountIdOf(key);
  const ids = readState(view, 'list', 'operators')!;
  if (ids.includes(keyId)) return reject('unchanged', 'this key is an operator already');
  if (readState(view, 'key', keyId) !== undefined) {
    return reject('key-taken', 'this key is a device: give the operator one of its own');
  }
  if (ids.length >= OPERATORS_MAX) {
    return reject('too-many-operators', `${OPERATORS_MAX} operators at most; remove one first`);
  }
  return ok(
    new Map([change('list', 'operators', [...ids, keyId].sort()), change('operator', keyId, key)]),
  );
}

function removeOperator(
  view: StateView,
  { keyId }: z.infer<typeof removalSchema>,
): Result<StateWrites, Rejection> {
  const ids = readState(view, 'list', 'operators')!;
  if (!ids.includes(keyId)) return reject('unknown-operator', `no operator has the id ${keyId}`);
  if (ids.length === 1) return reject('last-operator', 'nobody could govern without an operator');
  return ok(
    new Map([
      change(
        'list',
        'operators',
        ids.filter((id) => id !== keyId),
      ),
      change('operator', keyId, undefined),
    ]),
  );
}
