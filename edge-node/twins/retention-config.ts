import { z } from 'zod';

const AGE_HOURS_MAX = 1_000_000;
const ageSchema = z.number().positive().max(AGE_HOURS_MAX);
/** Steps of roll-ups; as short as this, they would save little. */
const stepSchema = z.int().min(10).max(86_400);
const patternSchema = z
  .string()
  .max(128)
  .regex(
    /^(?:\*|[a-z0-9][a-z0-9-]*)\/(?:\*|[a-z0-9][a-z0-9-]*)$/,
    'use feature/property of a-z, 0-9 and -, either of them * for any',
  );

/** How long samples and revisions are kept. */
export const retentionSchema = z
  .strictObject({
    /** Bytes of the database in use; beyond it the samples that came first go, rolled up. */
    sizeBytesMax: z
      .int()
      .min(2 ** 20)
      .default(16 * 2 ** 30),
    /** Bytes of revisions and snapshots of things; beyond it the oldest go. */
    historySizeBytesMax: z
      .int()
      .min(2 ** 16)
      .default(2 * 2 ** 30),
    /** Since they came; without it samples go by size alone. */
    ageHours: ageSchema.optional(),
    /** Of each step count, mean, least and most stay when its samples go. */
    stepSeconds: stepSchema.default(3600),
    /** For properties of their own; the first that matches counts. */
    rules: z
      .array(
        z.strictObject({
          property: patternSchema,
          ageHours: ageSchema.optional(),
          stepSeconds: stepSchema.optional(),
        }),
      )
      .max(100)
      .default([]),
  })
  .prefault({});
export type RetentionConfig = z.infer<typeof retentionSchema>;

/** What holds of one property. */
export interface RetentionRule {
  /** Infinite where there is no limit. */
  readonly ageMs: number;
  readonly stepMs: number;
}

/** The rules in their order, that for all other properties last. */
export function retentionRules({ rules, ageHours, stepSeconds }: RetentionConfig) {
  const all = [...rules, { property: '*/*', ageHours }];
  return all.map(
    ({
      property,
      ageHours: hours = Number.POSITIVE_INFINITY,
      ...own
    }): RetentionRule & {
      readonly matches: (name: string) => boolean;
    } => ({
      ageMs: hours * 3_600_000,
      stepMs: 1000 * ('stepSeconds' in own ? (own.stepSeconds ?? stepSeconds) : stepSeconds),
      matches: matcherOf(property),
    }),
  );
}

function matcherOf(pattern: string): (name: string) => boolean {
  const wanted = pattern.split('/');
  return (name) =>
    name.split('/').every((part, index) => wanted[index] === '*' || wanted[index] === part);
}
