import { z } from 'zod';
import { digestSchema } from '../identity/digest.ts';
import { nameSchema } from '../wire/names.ts';

/**
 * A number as the ledger carries it, for it holds no floats: what `String(number)` writes and
 * `Number(text)` reads back bit for bit.
 */
const decimalSchema = z
  .string()
  .max(32)
  .regex(/^-?\d+(?:\.\d+)?(?:e[+-]\d+)?$/, 'expected a decimal number as text');

const countSchema = z.int().min(1).max(1_000_000_000);

const contributionSchema = z.strictObject({
  device: nameSchema,
  /** Digest of the update's parameters, as they came over the wire. */
  update: digestSchema,
  /** Windows the device learned from; its weight. */
  sampleCount: countSchema,
});

/** An aggregated model and where it came from. */
const modelVersionSchema = z.strictObject({
  task: digestSchema,
  /** The learning round it came from; 0 for the version the task starts with. */
  round: z
    .int()
    .min(0)
    .max(2 ** 31),
  /** SHA-256 of the encoded parameters: the version's name. */
  digest: digestSchema,
  /** The versions it was made from; none for round 0. */
  parents: z.array(digestSchema).max(16),
  contributions: z.array(contributionSchema).max(10_000),
  /** Key id of the validator that aggregated. */
  aggregator: digestSchema,
  rule: nameSchema,
  metrics: z.record(nameSchema, decimalSchema),
});

const taskDefinedSchema = z.strictObject({
  /** Digest of the task's definition: the task's name. */
  task: digestSchema,
  /** Digest of the ONNX file that every device starts from. */
  model: digestSchema,
});

/** One entry of the ledger. Records hold digests; what the digests are of lies elsewhere. */
const recordSchema = z.discriminatedUnion('type', [
  z.strictObject({ v: z.literal(1), type: z.literal('task.define'), body: taskDefinedSchema }),
  z.strictObject({ v: z.literal(1), type: z.literal('model.version'), body: modelVersionSchema }),
]);

/** What one block may carry. */
export const recordsSchema = z.array(recordSchema).max(1000);

export type ModelVersion = z.infer<typeof modelVersionSchema>;
export type LedgerRecord = z.infer<typeof recordSchema>;
/** A record before its digests are checked to be digests. */
export type RecordInput = z.input<typeof recordSchema>;
