import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ReadGate } from './read-gate.ts';

/** A gate with `count` messages in hand, and a reader that counts how often it may go on. */
function gateHolding(count: number) {
  const gate = new ReadGate();
  const finish: (() => void)[] = [];
  for (let i = 0; i < count; i++) {
    const { promise, resolve } = Promise.withResolvers<void>();
    finish.push(resolve);
    gate.hold(promise);
  }
  const reader = { reads: 0 };
  gate.whenOpen(() => {
    reader.reads++;
  });
  return { gate, finish, reader };
}

describe('read gate', () => {
  it('holds the reader while many messages are in hand, and then lets it go on once', async () => {
    const { finish, reader } = gateHolding(64);
    assert.equal(reader.reads, 0);
    for (const done of finish) done();
    await new Promise(setImmediate);
    assert.equal(reader.reads, 1);
  });

  it('lets it go on at once while few are', () => {
    assert.equal(gateHolding(63).reader.reads, 1);
  });

  it('lets it go on to reach an answer that is awaited, within a limit', () => {
    const { gate, reader } = gateHolding(1023);
    assert.equal(reader.reads, 0);
    const answered = gate.expectAnswer();
    assert.equal(reader.reads, 1);
    answered();
    gate.whenOpen(() => {
      reader.reads++;
    });
    assert.equal(reader.reads, 1);

    const full = gateHolding(1024);
    full.gate.expectAnswer();
    assert.equal(full.reader.reads, 0);
  });
});
