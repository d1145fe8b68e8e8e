import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import type { ForwardedAnswer } from '#shared/wire/forwarding.ts';
import type { Unanswered } from '../forwarding/forwarder.ts';
import { PassedStream } from './passed-stream.ts';

const portion = (text: string): ForwardedAnswer => ({
  ...{ v: 1, kind: 'answered', status: 200, headers: [] },
  body: Uint8Array.from(Buffer.from(text)),
});

/** A stream over what the other node answers in turn, then nothing new. */
function start(first: string, ...later: (ForwardedAnswer | Unanswered)[]) {
  const clock = createManualClock();
  const seen = { asked: [] as string[], ended: 0, cutOff: 0 };
  const access = { isLetIn: true };
  const mayGoOn = () => access.isLetIn;
  const ask = async (after: string) => {
    seen.asked.push(after);
    return later.shift() ?? portion(`id:${after}\n\n`);
  };
  const onEnd = () => {
    seen.ended += 1;
  };
  const cutOff = () => {
    seen.cutOff += 1;
  };
  const stream = new PassedStream({ clock, ask, mayGoOn, onEnd, cutOff }, portion(first));
  const reader = stream.body().getReader();
  const next = async () => {
    const { done, value } = await reader.read();
    return done ? undefined : Buffer.from(value).toString();
  };
  /** Lets time pass in the steps in which the other node is asked. */
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 500) {
      await new Promise(setImmediate);
      clock.advance(500);
    }
    await new Promise(setImmediate);
  };
  return { seen, access, next, pass };
}

describe('a stream passed on', () => {
  it('asks for what came after, and says nothing twice', async () => {
    const { seen, next, pass } = start(
      'id:1\ndata:1\n\nid:1\n\n',
      portion('id:2\ndata:2\n\nid:4\n\n'),
    );
    assert.equal(await next(), 'id:1\ndata:1\n\n');
    const second = next();
    await pass(500);
    assert.equal(await second, 'id:2\ndata:2\n\n');
    void next();
    await pass(1000);
    assert.deepEqual(seen.asked, ['1', '4', '4']);
  });

  it('asks nothing more for a reader that is not let in any longer', async () => {
    const { seen, access, next, pass } = start('id:1\ndata:1\n\nid:1\n\n');
    assert.equal(await next(), 'id:1\ndata:1\n\n');
    const end = next();
    access.isLetIn = false;
    await pass(500);
    assert.equal(await end, undefined);
    assert.deepEqual([seen.asked, seen.ended], [[], 1]);
  });

  it('ends where there is no more to come, or nobody to ask', async () => {
    const whole = start('id:1\ndata:1\n\n');
    assert.equal(await whole.next(), 'id:1\ndata:1\n\n');
    assert.equal(await whole.next(), undefined);
    const left = start('id:1\n\n', { code: 'away', reason: 'it is not connected' });
    const end = left.next();
    await left.pass(500);
    assert.equal(await end, undefined);
    assert.deepEqual([whole.seen.ended, left.seen.ended], [1, 1]);
  });

  it('shows signs of life while nothing happens', async () => {
    const { next, pass } = start('id:1\n\n');
    const beat = next();
    await pass(15_000);
    assert.equal(await beat, ':\n\n');
  });

  it('cuts off who takes nothing, and asks nothing on their behalf', async () => {
    const { seen, next, pass } = start('id:1\ndata:1\n\nid:1\n\n');
    await next();
    await pass(45_000);
    assert.deepEqual(seen, { asked: [], ended: 1, cutOff: 1 });
  });
});
