import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeHostState, statePublication } from './host-state.ts';

const text = (value: string) => new TextEncoder().encode(value);

describe('a STATE message', () => {
  for (const id of [
    'tck-id-host-topic-phid-birth-payload',
    'tck-id-host-topic-phid-death-payload',
    'tck-id-message-flow-phid-sparkplug-state-publish-payload',
    'tck-id-payloads-state-birth-payload',
    'tck-id-payloads-state-will-message-payload',
  ]) {
    it(`is JSON of a boolean and a number (${id})`, () => {
      const online = id.includes('birth') || id.includes('publish');
      const { payload } = statePublication('h', { online, timestampMs: 1.7e12 });
      assert.deepEqual(JSON.parse(new TextDecoder().decode(payload)), {
        online,
        timestamp: 1.7e12,
      });
      assert.deepEqual(decodeHostState(payload), {
        ok: true,
        value: { online, timestampMs: 1.7e12 },
      });
    });
  }

  it('is refused where it is anything else', () => {
    for (const garbage of [
      'ONLINE',
      '{"online":true}',
      '{"online":"true","timestamp":1}',
      '{"online":true,"timestamp":"1"}',
      '{"online":true,"timestamp":-1}',
      '[true,1]',
      `{"online":true,"timestamp":1,"x":"${'y'.repeat(5000)}"}`,
      '',
    ]) {
      const decoded = decodeHostState(text(garbage));
      assert.equal(!decoded.ok && decoded.error.code, 'state-malformed', garbage);
    }
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        assert.equal(decodeHostState(bytes).ok, false);
      }),
    );
  });
});
