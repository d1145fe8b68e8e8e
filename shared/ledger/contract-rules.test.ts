import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assert as expect } from '../basics/assert.ts';
import { digestOfPlain } from '../identity/digest.ts';
import { keyIdOf } from '../identity/keys.ts';
import { seededSigner } from '../identity/seeded-signer.ts';
import { applyRecord, type LedgerState, stateAtGenesis } from './contract-rules.ts';
import {
  exampleRecords,
  exampleTask,
  modelVersion,
  taskDefinition,
  versionDigest,
} from './example-records.ts';
import type { LedgerRecord } from './record.ts';

const { publicKey } = seededSigner(1);
const validator = keyIdOf(publicKey);
const genesis = stateAtGenesis({ v: 1, chainId: 'test', timeMs: 0, validators: [publicKey] });
/** The task and its rounds 0 and 1. */
const state = exampleRecords(validator, 3).reduce(applied, genesis);
const contribution = { device: 'mote-1', update: digestOfPlain('u'), sampleCount: 1 };

describe('contract rules', () => {
  it('keep a task with its versions and the newest of them', () => {
    const task = state.tasks.get(exampleTask);
    expect(task !== undefined, 'the task is defined');
    assert.equal(task.model, digestOfPlain('onnx'));
    assert.equal(task.latest?.digest, versionDigest(1));
    assert.deepEqual(
      [...task.versions],
      [
        [versionDigest(0), 0],
        [versionDigest(1), 1],
      ],
    );
  });

  it('take a version with several parents of the same task', () => {
    const parents = [versionDigest(1), versionDigest(0)];
    assert.ok(applyRecord(state, modelVersion(validator, 2, { parents })).ok);
  });

  it('leave the state they were given as it was', () => {
    applied(state, modelVersion(validator, 2));
    assert.equal(state.tasks.get(exampleTask)?.latest?.round, 1);
    assert.equal(state.tasks.get(exampleTask)?.versions.size, 2);
  });

  const other = digestOfPlain('other task');
  for (const [code, record, before] of [
    ['duplicate-task', taskDefinition(), state],
    ['unknown-task', modelVersion(validator, 2, { task: other }), state],
    ['round-not-next', modelVersion(validator, 3), state],
    ['round-not-next', modelVersion(validator, 1, { digest: versionDigest(9) }), state],
    ['round-not-next', modelVersion(validator, 1), applied(genesis, taskDefinition())],
    ['duplicate-version', modelVersion(validator, 2, { digest: versionDigest(0) }), state],
    ['unknown-aggregator', modelVersion(other, 2), state],
    ['lineage-incomplete', modelVersion(validator, 2, { parents: [] }), state],
    ['lineage-incomplete', modelVersion(validator, 2, { contributions: [] }), state],
    [
      'lineage-incomplete',
      modelVersion(validator, 0, { contributions: [contribution] }),
      applied(genesis, taskDefinition()),
    ],
    ['unknown-parent', modelVersion(validator, 2, { parents: [versionDigest(2)] }), state],
    [
      'unknown-parent',
      modelVersion(validator, 1, { task: other, parents: [versionDigest(1)] }),
      [taskDefinition(other), modelVersion(validator, 0, { task: other })].reduce(applied, state),
    ],
    [
      'duplicate-contribution',
      modelVersion(validator, 2, { contributions: [contribution, contribution] }),
      state,
    ],
  ] as const) {
    it(`refuse with ${code}`, () => {
      const result = applyRecord(before, record);
      assert.ok(!result.ok);
      assert.equal(result.error.code, code);
    });
  }
});

function applied(before: LedgerState, record: LedgerRecord): LedgerState {
  const result = applyRecord(before, record);
  expect(result.ok, 'the record fits');
  return result.value;
}
