import assert from 'node:assert/strict';
import { it } from 'node:test';
import pino from 'pino';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import { createEvents } from './events.ts';

it('events are all counted, and logged in measure', () => {
  const lines: { msg: string; notLogged?: number }[] = [];
  const log = pino({}, { write: (line: string) => lines.push(JSON.parse(line)) });
  const clock = createManualClock();
  const events = createEvents(log, clock);

  for (let i = 0; i < 100; i++) events.record('warn', 'message-invalid', { i });
  events.record('warn', 'port-scan');
  assert.deepEqual(events.counts(), { 'message-invalid': 100, 'port-scan': 1 });
  assert.equal(lines.length, 6);

  clock.advance(1000);
  events.record('warn', 'message-invalid');
  assert.equal(lines.at(-1)?.notLogged, 95);
});
