import { z } from 'zod';
import { err, ok } from '../basics/result.ts';
import { POINTS_MAX } from '../twin/prediction/predictor.ts';
import { qualities, type ReportMark, type Sample } from '../twin/sample.ts';
import { type DropCount, dropRules, RUNS_KEPT, type StreamRun } from '../twin/sample-stream.ts';
import { type MessageCodec, messageCodec } from './message.ts';
import { epochSchema, propertySchema } from './names.ts';

export const SAMPLES_PER_MESSAGE_MAX = 500;

/** Properties and rules a message tells counts of. */
export const DROP_COUNTS_MAX = 1000;

/** Samples on their way to the twin: sequences of one epoch and run, oldest first. */
export interface DataMessage {
  readonly epoch: string;
  /**
   * The oldest sequence the outbox still has to deliver. All before it were acknowledged, or
   * dropped by rule: the receiver need not wait for them.
   */
  readonly available: number;
  /** The sequences behind it and before the first sample were dropped; there are none else. */
  readonly after?: number;
  /** Sequences left out between two samples were dropped by rule. */
  readonly samples: readonly Sample[];
  /** The run of the agent that took them; not said of samples from before there were runs. */
  readonly run?: StreamRun;
  /** What was dropped of the epoch so far, where that changed. */
  readonly dropped?: readonly DropCount[];
  /** How many sequences come behind these by now; not said by older devices. */
  readonly waiting?: number;
}

/** What the edge node holds durably: every sequence of the epoch up to this one. */
export interface CommittedMessage {
  readonly v: 1;
  readonly epoch: string;
  readonly sequence: number;
  /** The newest runs those are of, oldest first; where the device tells its runs. */
  readonly runs?: readonly StreamRun[] | undefined;
}

/** The last millisecond a JavaScript date reaches (ECMA-262, 21.4.1.1). */
const TIME_MS_MAX = 8.64e15;

/** Leaves room to count on from a message's first sequence: beyond 2^53 two numbers become one. */
const sequenceSchema = z
  .int()
  .min(1)
  .max(Number.MAX_SAFE_INTEGER - SAMPLES_PER_MESSAGE_MAX);

const runSchema = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{8}$/, 'expected 8 hex digits'),
  first: sequenceSchema,
});

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
  after: z.int().nonnegative().optional(),
  /** `[index of a sample, how many sequences before it were dropped]`, by index. */
  skips: z
    .array(z.tuple([z.int().min(1), sequenceSchema]))
    .min(1)
    .max(SAMPLES_PER_MESSAGE_MAX)
    .optional(),
  run: runSchema.optional(),
  dropped: z
    .array(z.tuple([propertySchema, z.enum(dropRules), sequenceSchema]))
    .min(1)
    .max(DROP_COUNTS_MAX)
    .optional(),
  policies: z.array(policySchema).min(1).max(SAMPLES_PER_MESSAGE_MAX).optional(),
  reports: z.array(reportSchema).min(1).max(SAMPLES_PER_MESSAGE_MAX).optional(),
  waiting: z.int().nonnegative().optional(),
});

const wireCodec = messageCodec('data', wireSchema);

/**
 * The plain telemetry codec: `{v, epoch, available, first, properties, samples}`, a sample being
 * `[index of its property, time in ms, value, index of its quality]`. Where sequences were dropped,
 * `after` and `skips` say so; `dropped` counts them; which samples are reports, and of what policy,
 * `policies` and `reports` say: a message without is what older devices send.
 */
export const plainTelemetryCodec: MessageCodec<DataMessage> = {
  encode({ epoch, available, after, samples, run, dropped = [], waiting }) {
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
      ...encodeSkips(samples),
      ...encodeReports(samples),
      ...(waiting === undefined ? {} : { waiting }),
      ...(after === undefined ? {} : { after }),
      ...(run === undefined ? {} : { run }),
      ...(dropped.length === 0
        ? {}
        : { dropped: dropped.map(({ property, rule, count }) => [property, rule, count]) }),
    });
  },

  decode(bytes) {
    const decoded = wireCodec.decode(bytes);
    if (!decoded.ok) return decoded;
    const { epoch, available, after, first, properties, samples, run, waiting } = decoded.value;
    const foreign = samples.find(([property]) => properties[property] === undefined);
    const sequences = decodeSequences(decoded.value);
    const marks = decodeReports(decoded.value);
    const begins = available <= first && (after ?? 0) < first && (run?.first ?? 1) <= first;
    const isWhole = sequences !== undefined && marks !== undefined;
    if (foreign !== undefined || !isWhole || !begins) {
      return err({ code: 'message-invalid', message: 'data: its parts contradict each other' });
    }
    return ok({
      epoch,
      available,
      ...(after === undefined ? {} : { after }),
      ...(run === undefined ? {} : { run }),
      ...decodeDropped(decoded.value),
      ...(waiting === undefined ? {} : { waiting }),
      samples: samples.map(([property, timeMs, value, quality], index) => ({
        sequence: sequences[index]!,
        property: properties[property]!,
        timeMs,
        value,
        quality: qualities[quality]!,
        ...marks.get(index),
      })),
    });
  },
};

type WireMessage = z.infer<typeof wireSchema>;

function encodeSkips(samples: readonly Sample[]): Pick<WireMessage, 'skips'> {
  const skips = samples.flatMap(({ sequence }, index): [number, number][] => {
    const skipped = sequence - (samples[index - 1]?.sequence ?? sequence - 1) - 1;
    return skipped > 0 ? [[index, skipped]] : [];
  });
  return skips.length === 0 ? {} : { skips };
}

/** The sequence of each sample; `undefined` where the message contradicts itself. */
function decodeSequences({ first, samples, skips = [] }: WireMessage): number[] | undefined {
  const skippedAt = new Map(skips);
  if (skippedAt.size < skips.length || skips.some(([index]) => index >= samples.length)) {
    return undefined;
  }
  let next = first;
  const sequences = samples.map((_, index) => {
    next += skippedAt.get(index) ?? 0;
    return next++;
  });
  return next <= Number.MAX_SAFE_INTEGER ? sequences : undefined;
}

function encodeReports(samples: readonly Sample[]): Pick<WireMessage, 'policies' | 'reports'> {
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

function decodeDropped({ dropped = [] }: WireMessage): Pick<DataMessage, 'dropped'> {
  if (dropped.length === 0) return {};
  return { dropped: dropped.map(([property, rule, count]) => ({ property, rule, count })) };
}

export const committedCodec: MessageCodec<CommittedMessage> = messageCodec(
  'committed',
  z.strictObject({
    v: z.literal(1),
    epoch: epochSchema,
    sequence: z.int().nonnegative(),
    runs: z.array(runSchema).min(1).max(RUNS_KEPT).optional(),
  }),
);
