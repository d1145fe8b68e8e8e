import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readValue } from './metric-value.ts';
import { anyPayload, anyTyped, wireOf } from './payload.fixture.ts';
import { decodePayload, encodePayload } from './payload.ts';

describe('a payload', () => {
  it('comes back from its bytes as it was, values of every data type among it', () => {
    fc.assert(
      fc.property(anyPayload, (payload) => {
        assert.deepEqual(decodePayload(encodePayload(payload)), { ok: true, value: payload });
      }),
    );
  });

  it('gives back each value of each data type', () => {
    fc.assert(
      fc.property(anyTyped(1), (typed) => {
        assert.deepEqual(readValue(typed.type, wireOf(typed)), { ok: true, value: typed.value });
      }),
    );
  });

  it('holds bytes of its own, not a view of the message', () => {
    const value = { kind: 'bytes', value: Uint8Array.of(1, 2, 3) } as const;
    const bytes = encodePayload({ metrics: [{ value }], body: Uint8Array.of(4) });
    const decoded = decodePayload(bytes);
    bytes.fill(0);
    assert.deepEqual(decoded, {
      ok: true,
      value: { metrics: [{ value }], body: Uint8Array.of(4) },
    });
  });
});
