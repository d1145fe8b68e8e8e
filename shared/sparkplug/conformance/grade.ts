import { assert } from '../../basics/assert.ts';
import type { Capture, CaptureEvent } from './capture.ts';
import { commandRules } from './command-rules.ts';
import { edgeConnectionRules } from './connection-rules.ts';
import { deliveryRules } from './delivery-rules.ts';
import { hostConnectionRules } from './host-connection-rules.ts';
import { hostStateRules } from './host-state-rules.ts';
import { metricRules } from './metric-rules.ts';
import { primaryHostRules } from './primary-host-rules.ts';
import { propertyRules } from './property-rules.ts';
import { reorderingRules } from './reordering-rules.ts';
import { replay } from './replay.ts';
import { reportByExceptionRules } from './report-by-exception-rules.ts';
import type { Rule } from './rule.ts';
import { sequenceRules } from './sequence-rules.ts';
import { sessionRules } from './session-rules.ts';
import { templateRules } from './template-rules.ts';
import { topicRules } from './topic-rules.ts';

/** One assertion of the specification by its id. */
export interface Assertion extends Omit<Rule, 'ids'> {
  /** `tck-id-...`. */
  readonly id: string;
  readonly section: string;
  readonly level: 'MUST' | 'SHOULD';
}

const RULES: readonly Rule[] = [
  ...topicRules,
  ...deliveryRules,
  ...sequenceRules,
  ...sessionRules,
  ...metricRules,
  ...reportByExceptionRules,
  ...propertyRules,
  ...templateRules,
  ...commandRules,
  ...edgeConnectionRules,
  ...primaryHostRules,
  ...hostStateRules,
  ...hostConnectionRules,
  ...reorderingRules,
];

/** Every assertion of Sparkplug 3.0 on edge nodes and host applications that a capture decides. */
export const assertions: readonly Assertion[] = RULES.flatMap(({ ids, ...rule }) =>
  ids.map((entry): Assertion => {
    const [, section, should, id] = /^([\d.]+) (SHOULD )?([\w-]+)$/.exec(entry) ?? [];
    assert(section !== undefined && id !== undefined, `${entry} is a section and an id`);
    return { ...rule, id: `tck-id-${id}`, section, level: should ? 'SHOULD' : 'MUST' };
  }),
);

export interface Grade {
  readonly assertion: Assertion;
  readonly outcome: 'fail' | 'pass' | 'not-seen';
  /** How often it was kept and broken. */
  readonly passes: number;
  readonly failures: number;
  /** The first event that broke it, and how. */
  readonly fault: { readonly event: CaptureEvent; readonly message: string } | undefined;
}

export interface GradeOptions {
  /** How long the host application waits for a missing message; else 5.9 is not graded. */
  readonly reorderTimeoutMs?: number | undefined;
}

/** Grades the capture by every assertion, in the order of the table. */
export function grade(capture: Capture, options: GradeOptions = {}): readonly Grade[] {
  const replayed = replay(capture, options.reorderTimeoutMs);
  const byCheck = new Map<Rule['check'], Omit<Grade, 'assertion'>>();
  return assertions.map((assertion) => {
    const { check } = assertion;
    const result = byCheck.get(check) ?? count(check(replayed));
    byCheck.set(check, result);
    return { assertion, ...result };
  });
}

function count(evidence: ReturnType<Rule['check']>): Omit<Grade, 'assertion'> {
  let passes = 0;
  let failures = 0;
  let fault: Grade['fault'];
  for (const { event, fault: message } of evidence) {
    if (message === undefined) passes++;
    else {
      failures++;
      fault ??= { event, message };
    }
  }
  const outcome = failures > 0 ? 'fail' : passes > 0 ? 'pass' : 'not-seen';
  return { outcome, passes, failures, fault };
}
