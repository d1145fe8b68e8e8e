import type { Log } from '#runtime/observe/log.ts';
import { type Actuator, notALevel, toLevel } from './actuator.ts';

/** An output that only the log shows, for trials without a board. */
export function createSimulatedOutput(property: string, log: Log): Actuator {
  return {
    property,
    async set(value) {
      const level = toLevel(value);
      if (level === undefined) return notALevel;
      log.info({ property, level }, 'simulated output');
      return { kind: 'done' };
    },
    [Symbol.dispose]: () => undefined,
  };
}
