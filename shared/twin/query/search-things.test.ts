import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { JsonObject, JsonValue } from '../document/json.ts';
import { parseRql } from './parse-rql.ts';
import { defaultSearchOptions, parseSearchOptions } from './search-options.ts';
import { countThings, mergePages, searchThings } from './search-things.ts';

function thing(name: string, rank?: JsonValue): JsonObject {
  return { thingId: `lab:${name}`, attributes: rank === undefined ? {} : { rank } };
}

function optionsOf(text: string) {
  const parsed = parseSearchOptions(text);
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.error.message);
  return parsed.value;
}

/** All pages one after another, as a client would ask for them. */
function search(documents: readonly JsonObject[], options: string): unknown[] {
  const found: unknown[] = [];
  for (let next = optionsOf(options); ; ) {
    const page = searchThings(documents, undefined, next);
    assert.ok(page.ok, page.ok ? '' : page.error.message);
    assert.ok(page.value.items.length <= next.size);
    found.push(...page.value.items.map(({ thingId }) => thingId));
    const { cursor } = page.value;
    if (cursor === undefined) return found;
    next = optionsOf(`${options},cursor(${cursor})`);
  }
}

describe('search options', () => {
  it('are read in any order', () => {
    assert.deepEqual(optionsOf('size(10),sort(-attributes/a,+thingId),cursor(ab12)'), {
      sort: [
        { property: ['attributes', 'a'], descending: true },
        { property: ['thingId'], descending: false },
      ],
      size: 10,
      cursor: 'ab12',
    });
    const sort = [{ property: ['thingId'], descending: false }];
    assert.deepEqual(optionsOf('sort( thingId)'), { ...defaultSearchOptions, sort });
  });

  for (const text of [
    '',
    'size(0)',
    'size(201)',
    'size(1.5)',
    'size("1")',
    'size(1),size(2)',
    'limit(0,10)',
    'sort()',
    'sort(+a',
    'cursor()',
    'order(+a)',
    `sort(${'+a,'.repeat(4)}+a)`,
  ]) {
    it(`refuses ${text}`, () => {
      const parsed = parseSearchOptions(text);
      assert.ok(!parsed.ok && parsed.error.code === 'rql-invalid');
    });
  }
});

describe('search', () => {
  const things = [
    thing('c', 2),
    thing('a', 'x'),
    thing('b', 2),
    thing('f'),
    thing('d', null),
    thing('e', true),
  ];

  it('sorts by type, then value, then id', () => {
    const ids = (names: string) => [...names].map((name) => `lab:${name}`);
    assert.deepEqual(search(things, 'sort(+thingId)'), ids('abcdef'));
    assert.deepEqual(search(things, 'sort(+attributes/rank)'), ids('fdebca'));
    assert.deepEqual(search(things, 'sort(-attributes/rank)'), ids('abcedf'));
  });

  it('gives every thing once over its pages, in the order of one page', () => {
    const rank = fc.option(
      fc.oneof(fc.integer({ max: 3 }), fc.string(), fc.boolean(), fc.constant(null)),
    );
    fc.assert(
      fc.property(
        fc.array(rank, { maxLength: 40 }),
        fc.integer({ min: 1, max: 7 }),
        (ranks, size) => {
          const all = ranks.map((each, index) => thing(`${index}`, each));
          const paged = search(all, `sort(-attributes/rank),size(${size})`);
          assert.deepEqual(paged, search(all, 'sort(-attributes/rank),size(200)'));
          assert.equal(new Set(paged).size, all.length);
        },
      ),
    );
  });

  it('loses nothing when texts are longer than a cursor keeps', () => {
    const long = '\u20ac'.repeat(500);
    const all = [thing('b', `${long}1`), thing('a', `${long}2`), thing('c', `${long}0`)];
    const keys = new Array(4).fill('+attributes/rank').join(',');
    assert.equal(new Set(search(all, `size(1),sort(${keys})`)).size, 3);
  });

  it('filters and counts', () => {
    const filter = parseRql('eq(attributes/rank,2)');
    assert.ok(filter.ok);
    const page = searchThings(things, filter.value, defaultSearchOptions);
    assert.ok(page.ok);
    assert.deepEqual(
      page.value.items.map(({ thingId }) => thingId),
      ['lab:b', 'lab:c'],
    );
    assert.equal(countThings(things, filter.value), 2);
    assert.equal(countThings(things, undefined), 6);
  });

  it('refuses a cursor of another search, or none', () => {
    const first = searchThings(things, undefined, optionsOf('size(2),sort(+thingId)'));
    const cursor = first.ok ? first.value.cursor : undefined;
    for (const options of [
      `sort(-thingId),cursor(${cursor})`,
      'cursor(zz)',
      'cursor(80)',
      'cursor(00)',
      `cursor(${'00'.repeat(1900)})`,
    ]) {
      const page = searchThings(things, undefined, optionsOf(options));
      assert.ok(!page.ok && page.error.code === 'cursor-invalid', options);
    }
  });

  it('pages through the things of several nodes as through those of one', () => {
    const ranks = fc.array(fc.tuple(fc.integer({ min: 0, max: 2 }), fc.constantFrom(1, 2, null)));
    fc.assert(
      fc.property(ranks, fc.integer({ min: 1, max: 4 }), (spread, size) => {
        const all = spread.map(([, rank], index) => thing(`t-${index}`, rank));
        const shares = [0, 1, 2].map((n) => all.filter((_, index) => spread[index]![0] === n));
        const options = `sort(-attributes/rank),size(${size})`;
        const found: unknown[] = [];
        for (let next = optionsOf(options); ; ) {
          const pages = shares.map((share) => searchThings(share, undefined, next));
          const page = mergePages(
            pages.map((each) => (each.ok ? each.value : assert.fail(each.error.message))),
            undefined,
            next,
          );
          assert.ok(page.items.length <= size);
          found.push(...page.items.map(({ thingId }) => thingId));
          if (page.cursor === undefined) break;
          next = optionsOf(`${options},cursor(${page.cursor})`);
        }
        assert.deepEqual(found, search(all, options));
      }),
    );
  });
});
