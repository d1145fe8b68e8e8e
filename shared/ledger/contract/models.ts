import { z } from 'zod';
import { ok, type Result } from '../../basics/result.ts';
import { digestSchema } from '../../identity/digest.ts';
import { nameSchema } from '../../wire/names.ts';
import { barOf } from './devices.ts';
import { contractEntry, type Rejection, type RuleContext, reject } from './rule.ts';
import { change, readState, type StateView, type StateWrites } from './state.ts';

const roundSchema = z
  .int()
  .min(0)
  .max(2 ** 31);

const countSchema = z.int().min(1).max(1_000_000_000);

/**
 * A number as the ledger carries it, for it holds no floats: what `String(number)` writes and
 * `Number(text)` reads back bit for bit.
 */
const decimalSchema = z
  .string()
  .max(32)
  .regex(/^-?\d+(?:\.\d+)?(?:e[+-]\d+)?$/, 'expected a decimal number as text');

const taskSchema = z.strictObject({
  /** Digest of the task's definition: the task's name. */
  task: digestSchema,
  /** Digest of the ONNX file that every device starts from. */
  model: digestSchema,
});

const updateSchema = z.strictObject({
  task: digestSchema,
  /** The learning round it is for, the next of the task. */
  round: roundSchema,
  device: nameSchema,
  /** The version that the device trained on from. */
  base: digestSchema,
  /** Digest of the update's parameters, as they came over the wire. */
  update: digestSchema,
  /** Windows the device learned from; its weight. */
  sampleCount: countSchema,
  /** Mean training loss of the device's local steps. */
  loss: decimalSchema,
});
type ModelUpdate = z.infer<typeof updateSchema>;

const contributionSchema = updateSchema.pick({ device: true, update: true, sampleCount: true });

const versionSchema = z.strictObject({
  task: digestSchema,
  /** The learning round it came from; 0 for the version the task starts with. */
  round: roundSchema,
  /** SHA-256 of the encoded parameters: the version's name. */
  digest: digestSchema,
  /** The versions it was made from; none for round 0. */
  parents: z.array(digestSchema).max(16),
  contributions: z.array(contributionSchema).max(200),
  /** Key id of the node that aggregated, and signs. */
  aggregator: digestSchema,
  rule: nameSchema,
  metrics: z
    .record(nameSchema, decimalSchema)
    .refine((metrics) => Object.keys(metrics).length <= 64, 'has more than 64 metrics'),
});

/** An aggregated model and where it came from. */
export type ModelVersion = z.infer<typeof versionSchema>;

export const modelContract = {
  /** Makes the task the one that all work on; one that is known goes on where it was left. */
  'task.define': contractEntry({
    body: taskSchema,
    signedBy: ['node', 'operator'],
    rule: define,
  }),
  'model.update': contractEntry({
    body: updateSchema,
    signedBy: ['device', 'node'],
    rule: applyUpdate,
  }),
  'model.version': contractEntry({ body: versionSchema, signedBy: ['node'], rule: applyVersion }),
};

function define(
  view: StateView,
  { task, model }: z.infer<typeof taskSchema>,
): Result<StateWrites, Rejection> {
  const known = readState(view, 'task', task);
  if (
    known !== undefined &&
    (known.model !== model || readState(view, 'current', 'task') === task)
  ) {
    return reject('duplicate-task', `task ${task} is defined already`);
  }
  const changes = new Map([change('current', 'task', task)]);
  if (known === undefined) changes.set(...change('task', task, { model, latest: null }));
  return ok(changes);
}

function applyUpdate(
  view: StateView,
  body: ModelUpdate,
  { signer }: RuleContext,
): Result<StateWrites, Rejection> {
  const { task, round, device, base, update, sampleCount, loss } = body;
  const refusal = barOf(view, device);
  if (refusal !== undefined) return refusal;
  const speaker = signer.role === 'device' ? device : readState(view, 'twin', device)?.edge;
  if (signer.name !== speaker) {
    return reject(
      'not-permitted',
      `an update of "${device}" is signed by it, or by the edge node that has its twin`,
    );
  }
  const next = nextRound(view, task, round);
  if (!next.ok) return next;
  if (readState(view, 'version', `${task}/${base}`) === undefined) {
    return reject('unknown-base', `base ${base} is not a version of this task`);
  }
  const id = `${task}/${round}/${device}`;
  if (readState(view, 'update', id) !== undefined) {
    return reject('duplicate-update', `"${device}" has contributed to round ${round}`);
  }
  return ok(new Map([change('update', id, { base, update, sampleCount, loss })]));
}

function applyVersion(
  view: StateView,
  version: ModelVersion,
  { signer }: RuleContext,
): Result<StateWrites, Rejection> {
  const { task, round, digest, aggregator } = version;
  const next = nextRound(view, task, round);
  if (!next.ok) return next;
  if (readState(view, 'version', `${task}/${digest}`) !== undefined) {
    return reject('duplicate-version', `version ${digest} is on the ledger already`);
  }
  if (aggregator !== signer.keyId) {
    return reject('wrong-aggregator', 'a version is signed by the node that aggregated it');
  }
  const refusal = checkLineage(view, version);
  if (refusal !== undefined) return refusal;
  const { model } = readState(view, 'task', task)!;
  return ok(
    new Map([
      change('version', `${task}/${digest}`, version),
      change('task', task, { model, latest: { round, digest } }),
    ]),
  );
}

function nextRound(view: StateView, task: string, round: number): Result<undefined, Rejection> {
  const known = readState(view, 'task', task);
  if (known === undefined) {
    return reject('unknown-task', `task ${task} is not on the ledger; define it first`);
  }
  const next = known.latest === null ? 0 : known.latest.round + 1;
  if (round === next) return ok(undefined);
  return reject('round-not-next', `it is of round ${round}, the next is ${next}`);
}

function checkLineage(
  view: StateView,
  { task, round, parents, contributions }: ModelVersion,
): Result<never, Rejection> | undefined {
  const first = round === 0;
  if (first !== (parents.length === 0) || first !== (contributions.length === 0)) {
    return reject(
      'lineage-incomplete',
      'a version names its parents and contributions, save that of round 0, which has none',
    );
  }
  const stranger = parents.find(
    (parent) => readState(view, 'version', `${task}/${parent}`) === undefined,
  );
  if (stranger !== undefined) {
    return reject('unknown-parent', `parent ${stranger} is not a version of this task`);
  }
  if (new Set(contributions.map(({ device }) => device)).size !== contributions.length) {
    return reject('duplicate-contribution', 'a device contributes to a version once');
  }
  return undefined;
}
