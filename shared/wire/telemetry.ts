import { z } from 'zod';
import { err, ok } from '../basics/result.ts';
import { POINTS_MAX } from '../twin/prediction/predictor.ts';
import { qualities, type ReportMark, type Sample } from '../twin/sample.ts';
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
  /** How many samples in the outbox come behind these; not said by older devices. */
  readonly waiting?: number;
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

/** `[predictor, tolerance, heartbeat in ms]`, of which several reports are. */
const policySchema = z.tuple([
  z
    .string()
    .max(80)
    .regex(/^[a-z][a-z0-9-]*(?::[0-9a-f]+)?$/),
  z.number().nonnegative(),
  z.int().min(1),
]);
/** `[index of the sample, index of the policy, depth, ordinal]`. */
const reportSchema = z.tuple([
  z.int().nonnegative(),
  z.int().nonnegative(),
  z.int().min(0).max(POINTS_MAX),
  z.int().min(1),
]);

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
  policies: z.array(policySchema).min(1).max(SAMPLES_PER_MESSAGE_MAX).optional(),
  reports: z.array(reportSchema).min(1).max(SAMPLES_PER_MESSAGE_MAX).optional(),
  waiting: z.int().nonnegative().optional(),
});
type WireMessage = z.infer<typeof wireSchema>;
type WireReports = Pick<WireMessage, 'policies' | 'reports'>;

const wireCodec = messageCodec('data', wireSchema);

/**
 * The plain telemetry codec: `{v, epoch, available, first, properties, samples}`, a sample being
 * `[index of its property, time in ms, value, index of its quality]`. Which of them are reports,
 * and of what policy, `policies` and `reports` say where there are any: a message without is what
 * it was before there were reports.
 */
export const plainTelemetryCodec: MessageCodec<DataMessage> = {
  encode({ epoch, available, samples, waiting }) {
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
      ...encodeReports(samples),
      ...(waiting === undefined ? {} : { waiting }),
    });
  },

  decode(bytes) {
    const decoded = wireCodec.decode(bytes);
    if (!decoded.ok) return decoded;
    const { epoch, available, first, properties, samples, waiting } = decoded.value;
    const foreign = samples.find(([property]) => properties[property] === undefined);
    const marks = decodeReports(decoded.value);
    if (foreign !== undefined || available > first || marks === undefined) {
      return err({ code: 'message-invalid', message: 'data: its parts contradict each other' });
    }
    return ok({
      epoch,
      available,
      ...(waiting === undefined ? {} : { waiting }),
      samples: samples.map(([property, timeMs, value, quality], index) => ({
        sequence: first + index,
        property: properties[property]!,
        timeMs,
        value,
        quality: qualities[quality]!,
        ...marks.get(index),
      })),
    });
  },
};

function encodeReports(samples: readonly Sample[]): WireReports {
  const policies: z.infer<typeof policySchema>[] = [];
  const indexOf = new Map<string, number>();
  const reports: z.infer<typeof reportSchema>[] = [];
  for (const [index, { report }] of samples.entries()) {
    if (report === undefined) continue;
    const { predictor, depth, ordinal, tolerance, heartbeatMs } = report;
    const key = `${predictor} ${tolerance} ${heartbeatMs}`;
    const known = indexOf.get(key) ?? policies.push([predictor, tolerance, heartbeatMs]) - 1;
    indexOf.set(key, known);
    reports.push([index, known, depth, ordinal]);
  }
  return reports.length === 0 ? {} : { policies, reports };
}

/** The mark of each sample that is a report, by its index; `undefined` for a contradiction. */
function decodeReports({
  policies = [],
  reports = [],
  samples,
}: WireMessage): Map<number, { report: ReportMark }> | undefined {
  const marks = new Map<number, { report: ReportMark }>();
  for (const [index, at, depth, ordinal] of reports) {
    const policy = policies[at];
    if (policy === undefined || index >= samples.length || marks.has(index)) return undefined;
    const [predictor, tolerance, heartbeatMs] = policy;
    marks.set(index, { report: { predictor, depth, ordinal, tolerance, heartbeatMs } });
  }
  return marks;
}

export const committedCodec: MessageCodec<CommittedMessage> = messageCodec(
  'committed',
  z.strictObject({ v: z.literal(1), epoch: epochSchema, sequence: z.int().nonnegative() }),
);
