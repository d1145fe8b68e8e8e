import {
  type Observed,
  type ReportingPolicy,
  startReporting,
  stepReporting,
} from '#shared/twin/prediction/reporting.ts';
import type { Sample } from '#shared/twin/sample.ts';

/** What a device sends of one property's samples, by their rule; sequences from 1. */
export function reportsOf(
  observed: readonly Observed[],
  { property, policy, predictor }: { property: string; policy: ReportingPolicy; predictor: string },
): Sample[] {
  let state = startReporting(policy, predictor);
  const sent: Sample[] = [];
  for (const sample of observed) {
    const step = stepReporting(state, sample);
    state = step.state;
    if (step.report === undefined) continue;
    const { timeMs, value, quality, depth } = step.report;
    const sequence = sent.length + 1;
    const report = { predictor: step.report.predictor, depth, ordinal: sequence, ...policy };
    sent.push({ sequence, property, timeMs, value, quality, report });
  }
  return sent;
}
