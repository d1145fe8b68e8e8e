import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { JsonValue } from './json.ts';
import { thingDocument } from './thing.ts';
import {
  DESIRED_EPOCH,
  EPOCH,
  edited,
  fresh,
  kinds,
  put,
  reported,
  run,
  sample,
} from './thing-run.fixture.ts';
import type { ThingInput } from './thing-step.ts';

function acknowledged(av: number, ac: number, value: JsonValue = 21, epoch = DESIRED_EPOCH) {
  const acknowledgements = [{ path: 'env/target', value, ac, av, ad: '' }];
  return { kind: 'acknowledged', nowMs: 3000, epoch, acknowledgements } as const;
}

describe('thing, reported', () => {
  it("has Ditto's shape", () => {
    const { thing, effects } = run(
      fresh,
      reported(sample(1, 20), sample(2, 21), sample(3, 'ok', 'cpu/state')),
    );
    assert.deepEqual(thingDocument(thing), {
      thingId: 'lab:mote-1',
      attributes: {},
      features: {
        env: { properties: { temperature: 21 } },
        cpu: { properties: { state: 'ok' } },
      },
      _revision: 1,
      _created: '1970-01-01T00:00:01.000Z',
      _modified: '1970-01-01T00:00:01.000Z',
      online: false,
    });
    assert.deepEqual(kinds(effects), ['record', 'notify']);
    assert.deepEqual(thing.features.env?.properties.temperature, {
      value: 21,
      timeMs: 20,
      receivedMs: 1000,
      quality: 'ok',
      source: { epoch: EPOCH, generation: 1, sequence: 2 },
    });
  });

  it('comes to the same in any order and however often it is told', () => {
    const report = fc.record({
      generation: fc.integer({ min: 1, max: 3 }),
      sequence: fc.integer({ min: 1, max: 9 }),
      property: fc.constantFrom('a/b', 'a/c', 'd/constructor'),
    });
    const batches = fc.array(fc.array(report, { maxLength: 5 }), { maxLength: 8 });
    const toInput = (batch: { generation: number; sequence: number; property: string }[]) =>
      batch.map(({ generation, sequence, property }): ThingInput => {
        // A sequence is of one sample only, whoever repeats it.
        const value = `${generation}/${sequence}/${property}`;
        const epoch = `${generation}`.repeat(16);
        const samples = [sample(sequence, value, property)];
        return { kind: 'reported', nowMs: 7, epoch, generation, samples };
      });
    fc.assert(
      fc.property(batches, fc.infiniteStream(fc.nat()), (all, chance) => {
        const inputs = all.flatMap(toInput);
        const doubled = [...inputs, ...inputs]
          .map((input) => ({ input, key: chance.next().value }))
          .sort((a, b) => a.key - b.key);
        const inOrder = run(fresh, ...inputs).thing;
        const shuffled = run(fresh, ...doubled.map(({ input }) => input)).thing;
        assert.deepEqual(shuffled.features, inOrder.features);
      }),
      { numRuns: 300 },
    );
  });

  it('does nothing about what it knows', () => {
    const { thing } = run(fresh, reported(sample(5, 20)));
    const again = run(thing, reported(sample(5, 20)), reported(sample(4, 19)));
    assert.equal(again.thing, thing);
    assert.deepEqual(again.effects, []);
  });

  it('goes by the generation of the epoch before the sequence', () => {
    const { thing } = run(fresh, reported(sample(900, 20)), {
      kind: 'reported',
      nowMs: 1000,
      epoch: '0000000000000000',
      generation: 2,
      samples: [sample(1, 30)],
    });
    const late = run(thing, reported(sample(901, 21))).thing;
    assert.equal(late.features.env?.properties.temperature?.value, 30);
  });

  it('refuses what is no value or too many, and takes the rest', () => {
    const many = Array.from({ length: 1001 }, (_, i) => sample(i + 1, i, `many/p${i}`));
    const { thing, effects } = run(
      fresh,
      reported(...many, sample(1002, Number.NaN, 'a/b'), sample(1003, 'x'.repeat(5000), 'a/c')),
    );
    assert.equal(Object.keys(thing.features.many!.properties).length, 1000);
    const refused = effects.find(({ kind }) => kind === 'refuse-reports');
    assert.deepEqual(refused, {
      kind: 'refuse-reports',
      properties: ['many/p1000', 'a/b', 'a/c'],
    });
    const next = run(thing, reported(sample(2000, 5, 'many/p0'))).thing;
    assert.equal(next.features.many?.properties.p0?.value, 5);
  });

  it('leaves the thing before as it was, and survives as JSON', () => {
    const before = JSON.stringify(fresh);
    const { thing } = run(fresh, reported(sample(1, 20)), edited(put('features/a', {})));
    assert.equal(JSON.stringify(fresh), before);
    assert.deepEqual(JSON.parse(JSON.stringify(thing)), thing);
  });
});

describe('thing, presence', () => {
  const online = { kind: 'presence', nowMs: 5, online: true, units: { 'a/b': 'Cel' } } as const;

  it('keeps since when, and the units when the device goes', () => {
    const { thing } = run(fresh, online);
    assert.deepEqual(thing.presence, { online: true, sinceMs: 5 });
    assert.equal(run(thing, { ...online, nowMs: 9 }).thing, thing);
    const gone = run(thing, { ...online, nowMs: 8, online: false, units: {} }).thing;
    assert.deepEqual([gone.presence, gone.units], [{ online: false, sinceMs: 8 }, online.units]);
  });
});

describe('thing, desired', () => {
  const target = 'features/env/desiredProperties/target';
  const { thing: wanted } = run(fresh, reported(sample(1, 20)), edited(put(target, 21)));

  it('publishes all that is desired, with versions', () => {
    const { thing, effects } = run(
      wanted,
      edited({
        op: 'merge',
        path: 'features',
        patch: { env: { desiredProperties: { fan: true } } },
      }),
    );
    assert.deepEqual(kinds(effects), ['record', 'publish-desired', 'notify']);
    assert.deepEqual(effects[1], {
      kind: 'publish-desired',
      message: {
        v: 1,
        epoch: DESIRED_EPOCH,
        version: 2,
        properties: [
          { path: 'env/target', version: 1, value: 21 },
          { path: 'env/fan', version: 2, value: true },
        ],
      },
    });
    assert.equal(thing.features.env?.desired.target?.version, 1);
  });

  it('gives no new version to what is said again', () => {
    const again = run(wanted, edited(put(target, 21)));
    assert.equal(again.thing, wanted);
    assert.deepEqual(again.effects, []);
  });

  it('asks again for what the device had refused, where it is addressed', () => {
    const { thing } = run(wanted, acknowledged(1, 400));
    assert.equal(run(thing, edited(put('attributes/a', 1))).thing.desiredVersion, 1);
    const other = { op: 'merge', path: 'features/env', patch: { properties: { x: 1 } } } as const;
    assert.equal(run(thing, edited(other)).thing.desiredVersion, 1);
    for (const edit of [
      put(target, 21),
      put('features/env/desiredProperties', { target: 21 }),
      {
        op: 'merge',
        path: '',
        patch: { features: { env: { desiredProperties: { target: 21 } } } },
      },
    ] as const) {
      const { thing: next, effects } = run(thing, edited(edit));
      assert.equal(next.features.env?.desired.target?.version, 2, JSON.stringify(edit));
      assert.ok(kinds(effects).includes('publish-desired'));
    }
  });

  it('takes the answer to its version only', () => {
    for (const input of [
      acknowledged(2, 200),
      acknowledged(1, 200, 21, EPOCH),
      {
        ...acknowledged(1, 200),
        acknowledgements: [{ path: 'x/y', value: 1, ac: 200, av: 1, ad: '' }],
      },
    ]) {
      const { thing, effects } = run(wanted, input);
      assert.equal(thing, wanted);
      assert.deepEqual(kinds(effects), ['ignore-acknowledgements']);
    }
    const { thing } = run(wanted, acknowledged(1, 200));
    assert.equal(thing.features.env?.desired.target?.acknowledged?.ac, 200);
    assert.equal(run(thing, acknowledged(1, 200)).thing, thing);
  });

  it('does not take "in progress" for news once there is a final answer', () => {
    const { thing } = run(wanted, acknowledged(1, 202), acknowledged(1, 200), acknowledged(1, 202));
    assert.equal(thing.features.env?.desired.target?.acknowledged?.ac, 200);
    const failed = run(thing, acknowledged(1, 500)).thing;
    assert.equal(failed.features.env?.desired.target?.acknowledged?.ac, 500);
  });

  it('remembers who overwrote what the device had not taken', () => {
    const bob = run(wanted, edited(put(target, 25), {}, 'bob')).thing;
    assert.deepEqual(bob.features.env?.desired.target?.overwrote, {
      value: 21,
      version: 1,
      writtenBy: 'ann',
    });
    const after = run(wanted, acknowledged(1, 200), edited(put(target, 25), {}, 'bob')).thing;
    assert.equal(after.features.env?.desired.target?.overwrote, undefined);
  });

  it('tells the device when a desired property is gone', () => {
    const { effects } = run(wanted, edited({ op: 'delete', path: target }));
    const published = effects.find(({ kind }) => kind === 'publish-desired');
    assert.ok(published?.kind === 'publish-desired');
    assert.deepEqual([published.message.version, published.message.properties], [2, []]);
  });
});
