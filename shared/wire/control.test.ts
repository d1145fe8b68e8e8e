import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeCanonical, type Plain } from '../codec/canonical.ts';
import { ackCodec, commandCodec, commandReplyCodec, desiredCodec } from './control.ts';

const epoch = '0123456789abcdef';
const property = { path: 'env/targetTemperature', version: 2, value: { a: [1, 'x', null] } };
const desired = { v: 1 as const, epoch, version: 2, properties: [property] };
const acknowledgement = { path: 'env/target', value: 21.5, ac: 200, av: 2, ad: 'done' };
const ack = { v: 1 as const, epoch, acknowledgements: [acknowledgement] };
const command = {
  v: 1 as const,
  id: 'command-1',
  subject: 'valve/open',
  payload: { by: 1 },
  issuedMs: 1,
  deadlineMs: 2,
};
const reply = { v: 1 as const, id: 'command-1', status: 200, payload: 'ok' };

describe('control plane', () => {
  it('gives back every message', () => {
    assert.deepEqual(desiredCodec.decode(desiredCodec.encode(desired)), {
      ok: true,
      value: desired,
    });
    assert.deepEqual(ackCodec.decode(ackCodec.encode(ack)), { ok: true, value: ack });
    assert.deepEqual(commandCodec.decode(commandCodec.encode(command)), {
      ok: true,
      value: command,
    });
    const decoded = commandReplyCodec.decode(commandReplyCodec.encode(reply));
    assert.deepEqual(decoded, { ok: true, value: reply });
  });

  const withProperty = (change: object) => ({
    ...desired,
    properties: [{ ...property, ...change }],
  });
  const withAnswer = (change: object) => ({
    ...ack,
    acknowledgements: [{ ...acknowledgement, ...change }],
  });
  for (const [name, codec, document] of [
    ['another version', desiredCodec, { ...desired, v: 2 }],
    ['an unknown field', desiredCodec, { ...desired, extra: 1 }],
    ['a property newer than its message', desiredCodec, { ...desired, version: 1 }],
    ['a path of one level', desiredCodec, withProperty({ path: 'target' })],
    ['a path of three levels', desiredCodec, withProperty({ path: 'a/b/c' })],
    ['bytes for a value', desiredCodec, withProperty({ value: new Uint8Array(3) })],
    ['a value too large', desiredCodec, withProperty({ value: 'x'.repeat(5000) })],
    [
      'too many properties',
      desiredCodec,
      { ...desired, properties: new Array(1001).fill(property) },
    ],
    ['another epoch than a name', ackCodec, { ...ack, epoch: 'x' }],
    ['no acknowledgement', ackCodec, { ...ack, acknowledgements: [] }],
    ['a code that is none', ackCodec, withAnswer({ ac: 99 })],
    ['a version before the first', ackCodec, withAnswer({ av: 0 })],
    ['a reason without end', ackCodec, withAnswer({ ad: 'x'.repeat(501) })],
    ['an id that is a wildcard', commandCodec, { ...command, id: '########' }],
    ['a subject that is a wildcard', commandCodec, { ...command, subject: '+' }],
    ['no deadline', commandCodec, { ...command, deadlineMs: null }],
    ['a status that is none', commandReplyCodec, { ...reply, status: 102 }],
  ] as const) {
    it(`refuses ${name}`, () => {
      const decoded = codec.decode(encodeCanonical(document as unknown as Plain));
      assert.equal(decoded.ok ? 'was accepted' : decoded.error.code, 'message-invalid');
    });
  }
});
