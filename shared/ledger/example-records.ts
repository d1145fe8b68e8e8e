import { type Digest, digestOfPlain } from '../identity/digest.ts';
import type { KeyId } from '../identity/keys.ts';
import type { LedgerRecord, ModelVersion } from './record.ts';

export const exampleTask: Digest = digestOfPlain('task');

export function taskDefinition(task: Digest = exampleTask): LedgerRecord {
  return { v: 1, type: 'task.define', body: { task, model: digestOfPlain('onnx') } };
}

/** The digest of the version that {@link modelVersion} makes of a round. */
export function versionDigest(round: number): Digest {
  return digestOfPlain(['version', round]);
}

/** The version of a round of {@link exampleTask}, made from the one before by two devices. */
export function modelVersion(
  aggregator: KeyId,
  round: number,
  changes: Partial<ModelVersion> = {},
): LedgerRecord {
  const devices = round === 0 ? [] : ['mote-1', 'mote-2'];
  return {
    v: 1,
    type: 'model.version',
    body: {
      task: exampleTask,
      round,
      digest: versionDigest(round),
      parents: round === 0 ? [] : [versionDigest(round - 1)],
      contributions: devices.map((device) => ({
        device,
        update: digestOfPlain([device, round]),
        sampleCount: 100 + round,
      })),
      aggregator,
      rule: 'fedavg',
      metrics: { loss: String(1 / (round + 1)) },
      ...changes,
    },
  };
}

/** `count` records that the contract rules take in this order: a task, then its versions. */
export function exampleRecords(aggregator: KeyId, count: number): LedgerRecord[] {
  return Array.from({ length: count }, (_, index) =>
    index === 0 ? taskDefinition() : modelVersion(aggregator, index - 1),
  );
}
