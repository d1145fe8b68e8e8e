import { z } from 'zod';
import { isOfPattern, propertyPatternSchema } from '#shared/wire/names.ts';

const AGE_HOURS_MAX = 1_000_000;
const ageSchema = z.number().positive().max(AGE_HOURS_MAX);
/** Steps of roll-ups; as short as this, they would save little. */
const stepSchema = z.int().min(10).max(86_400);

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
          property: propertyPatternSchema,
          ageHours: ageSchema.optional(),
          stepSeconds: stepSchema.optional(),
        }),
      )
      .max(100)
      .default([]),
  })
  .prefault({});
export type RetentionConfig = z.infer<typeof retentionSchema>;

/** What holds of the properties it matches. */
export interface RetentionRule {
  readonly matches: (property: string) => boolean;
  /** Infinite where there is no limit. */
  readonly ageMs: number;
  readonly stepMs: number;
}

/** The rules in their order, that for all other properties last. */
export function retentionRules({ rules, ageHours, stepSeconds }: RetentionConfig): RetentionRule[] {
  const all = [...rules, { property: '*/*', ageHours, stepSeconds }];
  return all.map(({ property: pattern, ageHours: hours, stepSeconds: seconds = stepSeconds }) => ({
    matches: (property) => isOfPattern(property, pattern),
    ageMs: (hours ?? Number.POSITIVE_INFINITY) * 3_600_000,
    stepMs: 1000 * seconds,
  }));
}
