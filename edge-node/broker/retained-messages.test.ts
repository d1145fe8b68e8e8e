import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RetainedMessages } from './retained-messages.ts';

const packet = (topic: string, sizeBytes: number) =>
  ({ topic, payload: Buffer.alloc(sizeBytes, 1), qos: 1 }) as const;

describe('retained messages', () => {
  it('have room up to a count and a number of bytes, what is replaced not counting', () => {
    const retained = new RetainedMessages({ countMax: 2, bytesMax: 100 });
    retained.put(packet('a', 60));
    assert.ok(retained.hasRoom('b', 40));
    assert.ok(!retained.hasRoom('b', 41));
    assert.ok(retained.hasRoom('a', 100));
    retained.put(packet('b', 40));
    assert.ok(!retained.hasRoom('c', 0 + 1));
    assert.ok(retained.hasRoom('c', 0), 'a removal always has room');
    retained.put(packet('a', 0));
    assert.ok(retained.hasRoom('c', 60));
    assert.ok(!retained.hasRoom('c', 61));
  });

  it('keep a copy of the newest of each topic', () => {
    const retained = new RetainedMessages({ countMax: 10, bytesMax: 1000 });
    const source = Buffer.from('new');
    retained.put(packet('a/b', 5));
    retained.put({ topic: 'a/b', payload: source, qos: 0 });
    source.fill(0);
    retained.put(packet('c', 1));
    const found = [...retained.matching(['a/+', 'a/#'])];
    assert.deepEqual(
      found.map(({ topic, payload, qos }) => [topic, payload.toString(), qos]),
      [['a/b', 'new', 0]],
    );
  });
});
