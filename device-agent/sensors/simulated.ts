import type { LiveSensor } from './sensor.ts';

export interface SimulatedOptions {
  readonly property: string;
  readonly periodMs: number;
  /** The number of the first reading. */
  readonly from: number;
}

/**
 * A sensor without a part: it counts its readings, so that in what arrived every one that is
 * missing or came twice shows.
 */
export function createSimulatedSensor({ property, periodMs, from }: SimulatedOptions): LiveSensor {
  let next = from;
  return {
    kind: 'live',
    name: 'simulated',
    properties: [{ property, unit: '1' }],
    periodMs,
    read: async () => [{ property, value: next++, quality: 'ok' }],
  };
}
