import { z } from 'zod';
import { err, ok } from '../basics/result.ts';
import { qualities, type Sample } from '../twin/sample.ts';
import { type MessageCodec, messageCodec } from './message.ts';
import { epochSchema, propertySchema } from './names.ts';

export const SAMPLES_PER_MESSAGE_MAX = 500;

/** Samples on their way to the twin: consecutive sequences of one epoch, oldest first. */
export interface DataMessage {
  readonly epoch: string;
  /**
   * The oldest sequence the outbox still has to deliver. All before it were acknowledged, or
   * dropped by rule: the receiver need not wait for them.
   */
  readonly available: number;
  readonly samples: readonly Sample[];
}

/** What the edge node holds durably: every sequence of the epoch up to this one. */
export interface CommittedMessage {
  readonly v: 1;
  readonly epoch: string;
  readonly sequence: number;
}

/** The last millisecond a JavaScript date reaches (ECMA-262, 21.4.1.1). */
const TIME_MS_MAX = 8.64e15;

/** Leaves room to count on from a message's first sequence: beyond 2^53 two numbers become one. */
const sequenceSchema = z
  .int()
  .min(1)
  .max(Number.MAX_SAFE_INTEGER - SAMPLES_PER_MESSAGE_MAX);

const wireSchema = z.strictObject({
  v: z.literal(1),
  epoch: epochSchema,
  available: sequenceSchema,
  first: sequenceSchema,
  properties: z.array(propertySchema).min(1).max(SAMPLES_PER_MESSAGE_MAX),
  samples: z
    .array(
      z.tuple([
        z.int().nonnegative(),
        z.int().min(0).max(TIME_MS_MAX),
        z.number().nullable(),
        z
          .int()
          .min(0)
          .max(qualities.length - 1),
      ]),
    )
    .min(1)
    .max(SAMPLES_PER_MESSAGE_MAX),
});

const wireCodec = messageCodec('data', wireSchema);

/**
 * The plain telemetry codec: `{v, epoch, available, first, properties, samples}`, a sample being
 * `[index of its property, time in ms, value, index of its quality]`.
 */
export const plainTelemetryCodec: MessageCodec<DataMessage> = {
  encode({ epoch, available, samples }) {
    const properties = [...new Set(samples.map(({ property }) => property))];
    const indexOf = new Map(properties.map((property, index) => [property, index]));
    return wireCodec.encode({
      v: 1,
      epoch,
      available,
      first: samples[0]!.sequence,
      properties,
      samples: samples.map(({ property, timeMs, value, quality }) => [
        indexOf.get(property)!,
        timeMs,
        value,
        qualities.indexOf(quality),
      ]),
    });
  },

  decode(bytes) {
    const decoded = wireCodec.decode(bytes);
    if (!decoded.ok) return decoded;
    const { epoch, available, first, properties, samples } = decoded.value;
    const foreign = samples.find(([property]) => properties[property] === undefined);
    if (foreign !== undefined || available > first) {
      return err({ code: 'message-invalid', message: 'data: its parts contradict each other' });
    }
    return ok({
      epoch,
      available,
      samples: samples.map(([property, timeMs, value, quality], index) => ({
        sequence: first + index,
        property: properties[property]!,
        timeMs,
        value,
        quality: qualities[quality]!,
      })),
    });
  },
};

export const committedCodec: MessageCodec<CommittedMessage> = messageCodec(
  'committed',
  z.strictObject({ v: z.literal(1), epoch: epochSchema, sequence: z.int().nonnegative() }),
);
