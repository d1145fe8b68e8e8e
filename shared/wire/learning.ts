import { z } from 'zod';
import { digestSchema } from '../identity/digest.ts';
import { type MessageCodec, messageCodec } from './message.ts';
import { propertySchema } from './names.ts';

/** Bytes of an ONNX file or a set of tensors that may cross in one message. */
const MODEL_SIZE_BYTES_MAX = 16 * 2 ** 20;

const bytesSchema = z
  .custom<Uint8Array>((value) => value instanceof Uint8Array, 'expected bytes')
  .refine((bytes) => bytes.length <= MODEL_SIZE_BYTES_MAX, 'is too large');
const roundSchema = z
  .int()
  .min(1)
  .max(2 ** 31);

/** What is learned and how; frozen by its digest, which names the task. */
export const taskDefinitionSchema = z.strictObject({
  v: z.literal(1),
  /** The twin properties a window is made of, and the next reading of which is forecast. */
  features: z
    .array(z.strictObject({ property: propertySchema, scale: z.number().positive() }))
    .min(1)
    .max(16),
  window: z.int().min(2).max(1024),
  /** Of the newest readings, how many each device learns from in a round. */
  readings: z.int().min(16).max(1_000_000),
  loss: z.literal('mse'),
  optimiser: z.enum(['sgd', 'adam']),
  learningRate: z.number().positive().max(10),
  batchSize: z.int().min(1).max(4096),
  localEpochs: z.int().min(1).max(1000),
  aggregation: z.literal('fedavg'),
  /** Digest of the ONNX file that every device starts from. */
  model: digestSchema,
});
export type TaskDefinition = z.infer<typeof taskDefinitionSchema>;

const taskSchema = z.strictObject({
  v: z.literal(1),
  task: digestSchema,
  definition: taskDefinitionSchema,
  model: bytesSchema,
});
const modelSchema = z.strictObject({
  v: z.literal(1),
  task: digestSchema,
  /** The learning round this version came from; 0 for the one the task starts with. */
  round: z.int().min(0),
  digest: digestSchema,
  /** A set of tensors (`shared/codec/tensor.ts`) whose SHA-256 is `digest`. */
  parameters: bytesSchema,
});
const roundAnnouncementSchema = z.strictObject({
  v: z.literal(1),
  task: digestSchema,
  round: roundSchema,
  /** Digest of the model version to start from. */
  base: digestSchema,
});
const updateSchema = z.strictObject({
  v: z.literal(1),
  task: digestSchema,
  round: roundSchema,
  base: digestSchema,
  /** Windows learned from; the weight in the average. */
  sampleCount: z.int().min(1).max(10_000_000),
  /** Mean loss over the round's local steps. */
  loss: z.number().nonnegative(),
  parameters: bytesSchema,
});

export type TaskMessage = z.infer<typeof taskSchema>;
export type ModelMessage = z.infer<typeof modelSchema>;
export type RoundMessage = z.infer<typeof roundAnnouncementSchema>;
export type UpdateMessage = z.infer<typeof updateSchema>;

export const taskCodec: MessageCodec<TaskMessage> = messageCodec('task', taskSchema);
export const modelCodec: MessageCodec<ModelMessage> = messageCodec('model', modelSchema);
export const roundCodec: MessageCodec<RoundMessage> = messageCodec(
  'round',
  roundAnnouncementSchema,
);
export const updateCodec: MessageCodec<UpdateMessage> = messageCodec('update', updateSchema);
