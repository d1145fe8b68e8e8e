import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createFrameReader, encodeFrame } from './frames.ts';

describe('frames', () => {
  it('come out as they went in, however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
        (messages, cuts) => {
          const sent = Buffer.concat(messages.map(encodeFrame));
          const reader = createFrameReader(40);
          const received: Uint8Array[] = [];
          for (let at = 0, turn = 0; at < sent.length; turn++) {
            const end = at + cuts[turn % cuts.length]!;
            assert.ok(reader.read(sent.subarray(at, end), (message) => received.push(message)));
            at = end;
          }
          assert.deepEqual(received, messages);
          assert.equal(reader.isMidFrame, false);
        },
      ),
    );
  });

  it('end where one announces more than the limit', () => {
    const reader = createFrameReader(40);
    const received: Uint8Array[] = [];
    const sent = Buffer.concat([encodeFrame(new Uint8Array(40)), encodeFrame(new Uint8Array(41))]);
    assert.equal(
      reader.read(sent, (message) => received.push(message)),
      false,
    );
    assert.deepEqual(received, [new Uint8Array(40)]);
  });

  it('are known to be cut short, within the count and within the message', () => {
    for (const length of [1, 4, 5, 13]) {
      const reader = createFrameReader(40);
      assert.ok(
        reader.read(encodeFrame(new Uint8Array(10)).subarray(0, length), () => assert.fail()),
      );
      assert.ok(reader.isMidFrame, `${length} bytes`);
    }
  });
});
