import { z } from 'zod';
import { configurationError } from '#runtime/process/program-error.ts';
import { plainPredictors } from '#shared/twin/prediction/predictor.ts';
import type { ReportingPolicy } from '#shared/twin/prediction/reporting.ts';
import { isOfPattern, propertyPatternSchema } from '#shared/wire/names.ts';

const predictorNames = plainPredictors.map(({ name }) => name);

/** One `[[reporting]]` table of a device's configuration. */
const reportingRuleSchema = z.strictObject({
  /** The first rule that fits counts. */
  property: propertyPatternSchema,
  /** How far the twin may be off at any sample, in the property's unit of measure. */
  tolerance: z.number().nonnegative(),
  /** A property is reported at least so often. */
  heartbeatSeconds: z.number().min(0.1).max(86_400).default(600),
  /** By which twin and device predict; `auto`: whichever would have said the least of late. */
  predictor: z.enum(['auto', ...predictorNames]).default('auto'),
});
export const reportingSchema = z.array(reportingRuleSchema).max(1000).default([]);
export type ReportingRule = z.infer<typeof reportingRuleSchema>;

/** By what a property is reported in part. */
export interface PropertyPlan {
  readonly policy: ReportingPolicy;
  /** A predictor's name, or `auto`. */
  readonly predictor: string;
}

/**
 * The plan of each property that a rule fits. Error (exit 78): `reporting-unmatched`, where a rule
 * names a property that no sensor gives; one with `*` may fit none.
 */
export function planReporting(
  rules: readonly ReportingRule[],
  properties: readonly string[],
): Map<string, PropertyPlan> {
  const plans = new Map<string, PropertyPlan>();
  for (const [index, { property, tolerance, heartbeatSeconds, predictor }] of rules.entries()) {
    const fitting = properties.filter((name) => isOfPattern(name, property));
    if (fitting.length === 0 && !property.includes('*')) {
      throw configurationError(
        'reporting-unmatched',
        `reporting.${index}.property: no sensor gives ${property}; name one of ` +
          `${properties.slice(0, 20).join(', ')}`,
      );
    }
    const policy = { tolerance, heartbeatMs: Math.round(heartbeatSeconds * 1000) };
    for (const name of fitting) if (!plans.has(name)) plans.set(name, { policy, predictor });
  }
  return plans;
}
