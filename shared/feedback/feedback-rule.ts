import { z } from 'zod';
import { checkJson, type JsonValue, propertyLimits } from '../twin/document/json.ts';
import { parseRql } from '../twin/query/parse-rql.ts';
import type { RqlCondition } from '../twin/query/rql.ts';
import { controlPathSchema } from '../wire/control.ts';
import { nameSchema } from '../wire/names.ts';
import { findConflict, findLoop } from './rule-loops.ts';

const RULES_MAX = 100;
const WAIT_MS_MAX = 86_400_000;

const waitSchema = z.int().min(0).max(WAIT_MS_MAX);
const valueSchema = z.custom<JsonValue>(
  (value) => checkJson(value, propertyLimits).ok,
  'is not a JSON value, or is too large',
);
const rqlSchema = z.string().transform((text, context): RqlCondition => {
  const parsed = parseRql(text);
  if (parsed.ok) return parsed.value;
  context.addIssue({ code: 'custom', message: parsed.error.message });
  return z.NEVER;
});

/** Holds above (or below) one bound, and no more from another on: between them nothing changes. */
const thresholdSchema = z
  .strictObject({
    /** Reported, a model's output among them: `feature/property`. */
    property: controlPathSchema,
    above: z.number().optional(),
    below: z.number().optional(),
    /** Where it holds no more; the bound itself where left out. */
    clear: z.number().optional(),
  })
  .refine(({ above, below }) => (above === undefined) !== (below === undefined), {
    message: 'give one of above and below',
  })
  .refine(
    ({ above, below, clear }) =>
      clear === undefined || (above !== undefined ? clear <= above : clear >= below!),
    { message: 'clear must be at most above, or at least below' },
  );
export type Threshold = z.infer<typeof thresholdSchema>;

const ruleSchema = z
  .strictObject({
    name: nameSchema,
    /** The device whose twin is read, or `*` for each by itself. */
    device: z.union([nameSchema, z.literal('*')]).default('*'),
    /** RQL that switches on. */
    when: rqlSchema.optional(),
    /** RQL that switches off; where left out, `when` no longer holding. */
    until: rqlSchema.optional(),
    threshold: thresholdSchema.optional(),
    /** How long the condition must hold before it switches on. */
    holdMs: waitSchema.default(0),
    /** How long it must be over before it switches off. */
    releaseMs: waitSchema.default(1000),
    set: z.strictObject({
      /** Whose desired property; the device that was read where left out. */
      device: nameSchema.optional(),
      /** `feature/property`. */
      property: controlPathSchema,
      value: valueSchema,
      /** What it is set to when the condition is over; left as it is where left out. */
      otherwise: valueSchema.optional(),
    }),
  })
  .refine(({ when, threshold }) => (when === undefined) !== (threshold === undefined), {
    message: 'give one of when and threshold',
  })
  .refine(({ when, until }) => until === undefined || when !== undefined, {
    message: 'until goes with when',
  })
  .refine((rule) => !mayFlap(rule), {
    message: 'it would switch with every reading; give clear or until, holdMs or releaseMs',
  });

/** On a condition of one twin, what is desired of it or of another. */
export type FeedbackRule = z.infer<typeof ruleSchema>;

/**
 * The feedback rules of an edge node, as they stand in TOML. Refused are rules that could feed
 * their own condition, also by way of others, and two that set the same property.
 */
export const feedbackRulesSchema = z
  .array(ruleSchema)
  .max(RULES_MAX)
  .superRefine((rules, context) => {
    const fault = repeatedName(rules) ?? findConflict(rules) ?? findLoop(rules);
    if (fault === undefined) return;
    context.addIssue({ code: 'custom', path: [fault.index], message: fault.message });
  });

function repeatedName(
  rules: readonly FeedbackRule[],
): { index: number; message: string } | undefined {
  const names = rules.map(({ name }) => name);
  const index = names.findIndex((name, at) => names.indexOf(name) !== at);
  return index < 0 ? undefined : { index, message: `two rules are named ${names[index]}` };
}

function mayFlap({
  threshold,
  until,
  holdMs,
  releaseMs,
}: {
  threshold?: Threshold | undefined;
  until?: RqlCondition | undefined;
  holdMs: number;
  releaseMs: number;
}): boolean {
  const bound = threshold?.above ?? threshold?.below;
  const gap = threshold?.clear !== undefined && threshold.clear !== bound;
  return holdMs + releaseMs === 0 && !gap && until === undefined;
}
