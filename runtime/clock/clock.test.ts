import { setTimeout as sleep } from 'node:timers/promises';
import { clockContract } from './clock.contract.ts';
import { createManualClock } from './manual-clock.ts';
import { systemClock } from './system-clock.ts';

clockContract('system', () => ({ clock: systemClock, pass: (durationMs) => sleep(durationMs) }));

clockContract('manual', () => {
  const clock = createManualClock();
  return {
    clock,
    async pass(durationMs) {
      clock.advance(durationMs);
    },
  };
});
