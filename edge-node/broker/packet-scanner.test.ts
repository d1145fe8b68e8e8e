import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { PacketScanner } from './packet-scanner.ts';
import { connectPacket, header, publishPacket, subscribePacket } from './raw-client.ts';

const PAYLOAD_MAX = 1000;
const connect = connectPacket({ clientId: 'a' });
const publishOf = (sizeBytes: number) => publishPacket('t', new Uint8Array(sizeBytes));
const scan = (...chunks: Uint8Array[]) => {
  const scanner = new PacketScanner(PAYLOAD_MAX);
  return chunks.map((chunk) => scanner.scan(chunk)).find((fault) => fault !== undefined);
};

describe('packet scanner', () => {
  it('lets whole packets pass, wherever they are split', () => {
    const parts = [connect, publishOf(PAYLOAD_MAX), subscribePacket(['a/#']), header(0xc0, 0)];
    const stream = Buffer.concat([...parts, publishOf(0), publishOf(200)]);
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length), { maxLength: 30 }), (cuts) => {
        const bounds = [0, ...cuts.sort((a, b) => a - b), stream.length];
        const chunks = bounds.slice(1).map((end, i) => stream.subarray(bounds[i], end));
        assert.equal(scan(...chunks), undefined);
        assert.equal(scan(...chunks, Uint8Array.of(0)), 'malformed-packet');
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it('refuses by the header alone what announces too much', () => {
    assert.equal(scan(connect, header(0x30, PAYLOAD_MAX + 512)), undefined);
    assert.equal(scan(connect, header(0x30, PAYLOAD_MAX + 513)), 'payload-too-large');
    assert.equal(scan(connect, header(0x30, 200 * 2 ** 20)), 'payload-too-large');
    assert.equal(scan(header(0x10, 2 ** 14 + 1)), 'payload-too-large');
    assert.equal(scan(connect, header(0x82, 2 ** 14 + 1)), 'payload-too-large');
  });

  it('refuses what is not a packet of a client, or not in its place', () => {
    for (const type of [0, 2, 9, 11, 13, 15]) {
      assert.equal(scan(connect, header(type << 4, 0)), 'malformed-packet', `type ${type}`);
    }
    assert.equal(scan(publishOf(1)), 'malformed-packet');
    assert.equal(scan(connect, connect), 'malformed-packet');
    assert.equal(scan(connect, Uint8Array.of(0x30, 0x80, 0x80, 0x80, 0x80)), 'malformed-packet');
  });
});
