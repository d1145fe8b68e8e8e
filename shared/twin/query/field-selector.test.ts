import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseFields, selectFields } from './field-selector.ts';

const document = {
  thingId: 'lab:mote-1',
  attributes: { maker: 'ACME', complex: { some: false, serial: 4711, misc: 'foo' } },
  features: {
    lamp: { properties: { on: true, color: 'blue' } },
    siren: { properties: { on: false, tone: 'a' } },
    mute: {},
  },
};

function select(fields: string) {
  const parsed = parseFields(fields);
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.error.message);
  return selectFields(document, parsed.value);
}

describe('field selector', () => {
  it('selects paths, groups and any feature', () => {
    const complex = { some: false, serial: 4711 };
    for (const [fields, expected] of [
      ['attributes', { attributes: document.attributes }],
      ['/attributes/maker', { attributes: { maker: 'ACME' } }],
      ['attributes/complex/some,attributes/complex/serial', { attributes: { complex } }],
      ['attributes/complex(some,serial)', { attributes: { complex } }],
      [
        'thingId, attributes(maker,complex(some)),features/lamp/properties/on',
        {
          thingId: 'lab:mote-1',
          attributes: { maker: 'ACME', complex: { some: false } },
          features: { lamp: { properties: { on: true } } },
        },
      ],
      [
        'features/*/properties/on,features/siren/properties/tone',
        {
          features: {
            lamp: { properties: { on: true } },
            siren: { properties: { on: false, tone: 'a' } },
          },
        },
      ],
      ['attributes,attributes/maker', { attributes: document.attributes }],
      ['attributes/maker,attributes', { attributes: document.attributes }],
      ['features/mute', { features: { mute: {} } }],
      ['nothing,attributes/toString', {}],
    ] as const) {
      assert.deepEqual(select(fields), expected, fields);
    }
  });

  for (const fields of [
    '',
    ',',
    'a,',
    'a,,b',
    'a(',
    'a)',
    'a(b',
    'a(b))',
    '(a)',
    'a()',
    'a(b)c',
    'a(b)(c)',
    'a//b',
    '/',
    'a,'.repeat(300),
    `${'a('.repeat(20)}b${')'.repeat(20)}`,
    'x'.repeat(4097),
  ]) {
    it(`refuses ${fields.slice(0, 12)}`, () => {
      const parsed = parseFields(fields);
      assert.ok(!parsed.ok && parsed.error.code === 'fields-invalid');
    });
  }

  it('never throws, and selects nothing that is not there', () => {
    const words = fc.constantFrom('a', 'features', '*', 'attributes', '/', '(', ')', ',', ' ');
    fc.assert(
      fc.property(fc.array(words, { maxLength: 12 }), (each) => {
        const parsed = parseFields(each.join(''));
        if (!parsed.ok) return;
        const selected = selectFields(document, parsed.value);
        for (const key of Object.keys(selected)) assert.ok(Object.hasOwn(document, key));
      }),
      { numRuns: 2000 },
    );
  });
});
