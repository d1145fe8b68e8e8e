import type { Plain } from '../../codec/canonical.ts';
import type { AccountKey } from '../../identity/account-key.ts';
import type { Digest } from '../../identity/digest.ts';
import type { KeyId } from '../../identity/keys.ts';
import type { Validator } from '../genesis.ts';
import type { Grant } from './grants.ts';
import type { ModelVersion } from './models.ts';

/** The ledger's state: what the transactions up to some height add up to. */
export interface StateView {
  get(key: string): Plain | undefined;
}

/** Changes of the state by key; undefined deletes. */
export type StateWrites = ReadonlyMap<string, Plain | undefined>;

/**
 * What is kept, by the first part of its key `kind/id`. One entity each, so that a change costs
 * what it changes and not what is there.
 */
export type Entities = {
  /** The sequence of a signer's last transaction, by key id; kept for good, against replays. */
  signer: number;
  /** A validator or follower, by key id; it has had a vote since that height. */
  validator: { entry: Validator; sinceHeight: number };
  /** By key id. */
  operator: AccountKey;
  /** The key ids of all members (`members`) and operators (`operators`), in order. */
  list: KeyId[];
  /** The height from which those who vote are those who do (`voters`). */
  roster: { sinceHeight: number };
  /** Key ids of operators who approve a change, by the change's digest. */
  approval: KeyId[];
  /** By name. */
  device: { key: AccountKey; status: DeviceStatus; sinceHeight: number };
  /** The device whose key it is, by key id. */
  key: { device: string; key: AccountKey };
  /** By the voucher's public key; `device` is null where it is for any new one. */
  voucher: { device: string | null; usesLeft: number; notAfterMs: number };
  /** By the grant's name. */
  grant: Grant;
  /** The names of a device's grants, by the device's name. */
  grants: string[];
  /** Where a device's twin is, by the device's name. */
  twin: { edge: string; epoch: number };
  /** A learning task and its newest version, by the task's digest. */
  task: { model: Digest; latest: { round: number; digest: Digest } | null };
  /** By `task/version`. */
  version: ModelVersion;
  /** By `task/round/device`: what the device contributed. */
  update: { base: Digest; update: Digest; sampleCount: number; loss: string };
  /** The task that all work on (`task`). */
  current: Digest;
  /** The height at which evidence marked a validator, by key id. */
  accused: { atHeight: number; evidence: Digest };
  /** Evidence of amnesia that waits for an answer, by its digest. */
  accusation: { atHeight: number; answered: boolean };
};

type DeviceStatus = 'active' | 'suspended' | 'revoked';

export function readState<Kind extends keyof Entities>(
  view: StateView,
  kind: Kind,
  id: string,
): Entities[Kind] | undefined {
  // The rules alone write the state, through the function below.
  return view.get(`${kind}/${id}`) as Entities[Kind] | undefined;
}

/** One change, to be put into a map of {@link StateWrites}. */
export function change<Kind extends keyof Entities>(
  kind: Kind,
  id: string,
  value: Entities[Kind] | undefined,
): [string, Plain | undefined] {
  return [`${kind}/${id}`, value];
}

export interface Overlay extends StateView {
  /** All that was written onto it. */
  readonly writes: ReadonlyMap<string, Plain | undefined>;
  write(changes: StateWrites): void;
}

/** A state that shows changes which are not in the one below. */
export function createOverlay(below: StateView): Overlay {
  const writes = new Map<string, Plain | undefined>();
  return {
    writes,
    get: (key) => (writes.has(key) ? writes.get(key) : below.get(key)),
    write: (changes) => {
      for (const [key, value] of changes) writes.set(key, value);
    },
  };
}
