import type { MetricDefinition, Reading } from '#shared/sparkplug/edge-metrics.ts';
import { anomalyScoreProperty } from '#shared/twin/sample.ts';
import { splitProperty } from './feature-metrics.ts';

const [device, score] = splitProperty(anomalyScoreProperty);
const MODEL = 'model';

/** The Sparkplug device that stands for the model in use. */
export const MODEL_DEVICE = device;

/** What the model says of each reading, and which it is: the digest of its parameters. */
export const modelMetrics: readonly MetricDefinition[] = [
  {
    name: score,
    datatype: 'Double',
    properties: [
      { key: 'engUnit', datatype: 'String', value: { kind: 'string', value: '1' } },
      { key: 'readOnly', datatype: 'Boolean', value: { kind: 'boolean', value: true } },
    ],
  },
  {
    name: MODEL,
    datatype: 'String',
    properties: [{ key: 'readOnly', datatype: 'Boolean', value: { kind: 'boolean', value: true } }],
  },
];

/** The model in use, by the digest of its parameters. */
export function modelReading(digest: string, timestampMs: number): Reading {
  return { name: MODEL, value: digest, timestampMs, quality: 'good' };
}
