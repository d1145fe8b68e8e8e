import { unreachable } from '../basics/assert.ts';
import { type Failure, fail, ok, type Result } from '../basics/result.ts';
import type { Digest } from '../identity/digest.ts';
import { type KeyId, keyIdOf, type PublicKey } from '../identity/keys.ts';
import type { Genesis } from './genesis.ts';
import type { LedgerRecord, ModelVersion } from './record.ts';

interface TaskState {
  /** Digest of the ONNX file that every device starts from. */
  readonly model: Digest;
  /** The round each version came from, by the version's digest. */
  readonly versions: ReadonlyMap<Digest, number>;
  readonly latest: ModelVersion | undefined;
}

/** What the records up to some height add up to; derived from them alone. */
export interface LedgerState {
  readonly validators: ReadonlyMap<KeyId, PublicKey>;
  readonly tasks: ReadonlyMap<Digest, TaskState>;
}

export type RecordRejection = Failure<
  | 'duplicate-task'
  | 'unknown-task'
  | 'round-not-next'
  | 'duplicate-version'
  | 'unknown-parent'
  | 'lineage-incomplete'
  | 'duplicate-contribution'
  | 'unknown-aggregator'
>;

export function stateAtGenesis({ validators }: Genesis): LedgerState {
  return {
    validators: new Map(validators.map((publicKey) => [keyIdOf(publicKey), publicKey])),
    tasks: new Map(),
  };
}

/** The contract rules: every validator comes to the same state, or to the same rejection. */
export function applyRecord(
  state: LedgerState,
  record: LedgerRecord,
): Result<LedgerState, RecordRejection> {
  switch (record.type) {
    case 'task.define': {
      const { task, model } = record.body;
      if (state.tasks.has(task)) return fail('duplicate-task', `task ${task} is defined already`);
      return ok(withTask(state, task, { model, versions: new Map(), latest: undefined }));
    }
    case 'model.version':
      return applyModelVersion(state, record.body);
    default:
      return unreachable(record);
  }
}

function applyModelVersion(
  state: LedgerState,
  version: ModelVersion,
): Result<LedgerState, RecordRejection> {
  const { task, round, digest, aggregator } = version;
  const known = state.tasks.get(task);
  if (known === undefined) {
    return fail('unknown-task', `task ${task} is not on the ledger; define it first`);
  }
  const nextRound = known.latest === undefined ? 0 : known.latest.round + 1;
  if (round !== nextRound) {
    return fail('round-not-next', `the version is of round ${round}, the next is ${nextRound}`);
  }
  if (known.versions.has(digest)) {
    return fail('duplicate-version', `version ${digest} is on the ledger already`);
  }
  if (!state.validators.has(aggregator)) {
    return fail('unknown-aggregator', `aggregator ${aggregator} is not a validator`);
  }
  const lineage = checkLineage(known, version);
  if (!lineage.ok) return lineage;
  const versions = new Map(known.versions).set(digest, round);
  return ok(withTask(state, task, { ...known, versions, latest: version }));
}

function checkLineage(
  { versions }: TaskState,
  { round, parents, contributions }: ModelVersion,
): Result<void, RecordRejection> {
  const first = round === 0;
  if (first !== (parents.length === 0) || first !== (contributions.length === 0)) {
    return fail(
      'lineage-incomplete',
      'a version names its parents and contributions, save that of round 0, which has none',
    );
  }
  const stranger = parents.find((parent) => !versions.has(parent));
  if (stranger !== undefined) {
    return fail('unknown-parent', `parent ${stranger} is not a version of this task`);
  }
  if (new Set(contributions.map(({ device }) => device)).size !== contributions.length) {
    return fail('duplicate-contribution', 'a device contributes to a version once');
  }
  return ok(undefined);
}

function withTask(state: LedgerState, task: Digest, taskState: TaskState): LedgerState {
  return { ...state, tasks: new Map(state.tasks).set(task, taskState) };
}
