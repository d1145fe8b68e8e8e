import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Datatype, datatypeCode, datatypeOf, datatypes } from './datatype.ts';
import type { MetricValue, WireValue } from './metric.ts';
import { readValue, sameValue, toWireValue } from './metric-value.ts';

function packed(type: Datatype, value: MetricValue): string {
  const wire = toWireValue(type, value);
  assert.ok(wire.ok && wire.value.kind === 'bytes');
  return Buffer.from(wire.value.value).toString('hex');
}

const int = (value: number): WireValue => ({ kind: 'int', value });
const bytes = (...values: number[]): WireValue => ({
  kind: 'bytes',
  value: Uint8Array.from(values),
});

describe('data types', () => {
  it('have the numbers of the specification', () => {
    const known = { Int8: 1, UInt64: 8, Boolean: 11, Text: 14, UUID: 15, Template: 19 };
    for (const [type, code] of Object.entries(known)) {
      assert.equal(datatypeCode(type as Datatype), code);
    }
    assert.equal(datatypeCode('PropertySetList'), 21);
    assert.equal(datatypeCode('DateTimeArray'), 34);
    assert.equal(datatypes.length, 35);
    assert.equal(datatypeOf(35), undefined);
  });
});

describe('a value', () => {
  it('of negative 8 and 16 bits is read in either complement', () => {
    const reads = [
      ['Int8', 0xfb, -5],
      ['Int8', 0xfffffffb, -5],
      ['Int16', 0xfffb, -5],
      ['Int16', 0xfffffffb, -5],
      ['Int32', 0xfffffffb, -5],
      ['UInt8', 0xfb, 0xfb],
      ['UInt32', 0xfffffffb, 0xfffffffb],
    ] as const;
    for (const [type, wire, value] of reads) {
      assert.deepEqual(readValue(type, int(wire)), { ok: true, value });
    }
    assert.deepEqual(readValue('UInt32', { kind: 'long', value: 7n }), { ok: true, value: 7 });
  });

  it('that does not fit its type is refused, both ways', () => {
    const wires: [Datatype, WireValue][] = [
      ['Int8', int(256)],
      ['Int8', int(0xffffff00)],
      ['UInt8', int(256)],
      ['UInt16', int(65536)],
      ['UInt32', { kind: 'long', value: 2n ** 32n }],
      ['Int64', int(1)],
      ['Float', { kind: 'double', value: 1 }],
      ['Boolean', int(1)],
      ['Unknown', int(1)],
      ['DataSet', bytes(1)],
      ['Int16Array', bytes(1)],
      ['BooleanArray', bytes(9, 0, 0, 0, 255)],
      ['BooleanArray', bytes(255, 255, 255, 255)],
      ['StringArray', bytes(65)],
      ['StringArray', bytes(255, 0)],
    ];
    for (const [type, wire] of wires) {
      const read = readValue(type, wire);
      assert.equal(!read.ok && read.error.code, 'value-mismatch', `${type} of ${wire.kind}`);
    }
    const values: [Datatype, MetricValue][] = [
      ['Int8', 128],
      ['Int8', 1.5],
      ['UInt8', -1],
      ['UInt32', 2 ** 32],
      ['Int64', 2n ** 63n],
      ['Int64', 1],
      ['UInt64', -1n],
      ['Double', 1n],
      ['String', '\ud800'],
      ['StringArray', ['a\0b']],
      ['Int8Array', [1, 128]],
      ['Boolean', 'true'],
      ['DataSet', { columns: ['a'], types: [], rows: [] }],
      ['DataSet', { columns: ['a'], types: ['UUID'], rows: [] }],
      ['DataSet', { columns: ['a'], types: ['Int8'], rows: [[128]] }],
      ['DataSet', { columns: ['a'], types: ['Int8'], rows: [[]] }],
      ['Template', { columns: [], types: [], rows: [] }],
      ['Unknown', 1],
    ];
    for (const [type, value] of values) {
      const wire = toWireValue(type, value);
      assert.equal(!wire.ok && wire.error.code, 'value-mismatch', `${type}`);
    }
  });

  it('of an array is packed as in the examples of the specification', () => {
    assert.equal(packed('Int8Array', [-23, 123]), 'e97b');
    assert.equal(packed('Int16Array', [-30000, 30000]), 'd08a3075');
    assert.equal(packed('Int32Array', [-1, 315338746]), 'fffffffffaafcb12');
    assert.equal(
      packed('Int64Array', [-4270929666821191986n, -3601064768563266876n]),
      'ce0672ac189cbac4c4ba9c18ac7206ce',
    );
    assert.equal(packed('UInt8Array', [23, 250]), '17fa');
    assert.equal(packed('UInt16Array', [30, 52360]), '1e0088cc');
    assert.equal(packed('UInt32Array', [52, 3293969225]), '3400000049fb55c4');
    const booleans = '001101001101'.split('').map((bit) => bit === '1');
    assert.equal(packed('BooleanArray', booleans), '0c00000034d0');
    assert.equal(packed('StringArray', ['ABC', 'hello']), '4142430068656c6c6f00');
    assert.equal(packed('DateTimeArray', [1256102875335n]), 'c7d0907524010000');
    assert.equal(packed('FloatArray', [1.5]), '0000c03f');
  });

  it('of 32-bit float is rounded to what it will be read as', () => {
    const wire = toWireValue('Float', 0.1);
    assert.deepEqual(wire, { ok: true, value: { kind: 'float', value: Math.fround(0.1) } });
  });

  it('is the same as itself only', () => {
    assert.equal(sameValue(Number.NaN, Number.NaN), true);
    assert.equal(sameValue(0, -0), false);
    assert.equal(sameValue(Uint8Array.of(1, 2), Uint8Array.of(1, 2)), true);
    assert.equal(sameValue(Uint8Array.of(1, 2), Uint8Array.of(1, 3)), false);
    assert.equal(sameValue([1n], [1n]), true);
    assert.equal(sameValue({ a: [{ b: 1 }] }, { a: [{ b: 2 }] }), false);
    assert.equal(sameValue(null, { a: 1 }), false);
  });
});
