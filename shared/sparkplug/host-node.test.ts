import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bdSeq, HostNodeDriver, kinds, metric } from './host-node.fixture.ts';
import { keeps, START_MS } from './session.fixture.ts';

const lost = ['node-lost', 'sequence-gap', 'NCMD', 'wake'];

describe('a host hears of an edge node', () => {
  it('its births and data, names and types resolved', () => {
    const driver = new HostNodeDriver();
    const reported = { datatype: 'Double', timestampMs: START_MS } as const;
    const flags = { isHistorical: false, isTransient: false };
    assert.deepEqual(driver.bear(7), [
      {
        kind: 'node-born',
        bdSeq: 7,
        atMs: START_MS,
        values: [{ name: 'x', value: 1, ...reported, ...flags }],
      },
      {
        kind: 'device-born',
        device: 'a',
        atMs: START_MS,
        values: [{ name: 't', value: 20, ...reported, ...flags }],
      },
    ]);
    const value = { kind: 'double', value: 21 } as const;
    const late = { alias: 2n, timestampMs: START_MS - 9, value, isHistorical: true };
    assert.deepEqual(driver.hear('DDATA/a', { seq: 2, metrics: [late] }), [
      {
        kind: 'values',
        device: 'a',
        values: [
          {
            name: 't',
            value: 21,
            ...reported,
            ...flags,
            timestampMs: late.timestampMs,
            isHistorical: true,
          },
        ],
      },
    ]);
    assert.deepEqual(kinds(driver.hear('NDATA', { seq: 3, metrics: [metric('x', 2)] })), [
      'values',
    ]);
  });

  it(
    keeps(
      'tck-id-operational-behavior-host-reordering-success',
      'messages out of order, in their order, when those before them come in time',
    ),
    () => {
      const driver = new HostNodeDriver();
      driver.bear();
      const data = (seq: number) => driver.hear('NDATA', { seq, metrics: [metric('x', seq)] });
      assert.deepEqual(kinds(data(4)), ['wake']);
      driver.clock.advance(1000);
      assert.deepEqual(kinds(data(3)), []);
      const effects = data(2);
      assert.deepEqual(kinds(effects), ['values', 'values', 'values']);
      const values = effects.map((effect) => effect.kind === 'values' && effect.values[0]?.value);
      assert.deepEqual(values, [2, 3, 4]);
      assert.deepEqual(driver.tick(9999), []);
      assert.deepEqual(kinds(data(5)), ['values']);
    },
  );

  it(
    keeps(
      `tck-id-operational-behavior-host-reordering-param
     tck-id-operational-behavior-host-reordering-start
     tck-id-operational-behavior-host-reordering-rebirth`,
      'nothing in time, and asks for births after the timeout that was set',
    ),
    () => {
      const driver = new HostNodeDriver({ reorderTimeoutMs: 700 });
      driver.bear();
      const data = (seq: number) => driver.hear('NDATA', { seq, metrics: [metric('x', seq)] });
      assert.deepEqual(data(4), [{ kind: 'wake', atMs: 700 }]);
      driver.clock.advance(300);
      data(5);
      assert.deepEqual(driver.tick(399), []);
      assert.deepEqual(kinds(driver.tick(1)), lost);
      assert.equal(driver.node.phase, 'unborn');
      assert.deepEqual(driver.node.buffer, []);
      const hasty = new HostNodeDriver({ reorderTimeoutMs: 0 });
      hasty.bear();
      assert.deepEqual(kinds(hasty.hear('NDATA', { seq: 3 })), lost);
    },
  );

  it('a second gap behind the first: the timer starts anew', () => {
    const driver = new HostNodeDriver({ reorderTimeoutMs: 700 });
    driver.bear();
    driver.hear('NDATA', { seq: 3 });
    driver.hear('NDATA', { seq: 5 });
    driver.clock.advance(500);
    assert.deepEqual(kinds(driver.hear('NDATA', { seq: 2 })), ['values', 'values', 'wake']);
    assert.deepEqual(driver.tick(699), []);
    assert.deepEqual(kinds(driver.tick(1)), lost);
  });

  it('data before any birth, and asks for the births', () => {
    const driver = new HostNodeDriver();
    assert.deepEqual(kinds(driver.hear('NDATA', { seq: 9 })), ['wake']);
    assert.deepEqual(kinds(driver.tick(2000)), ['sequence-gap', 'NCMD', 'wake']);
    assert.deepEqual(kinds(driver.bear()), ['node-born', 'device-born']);
  });

  it('a birth that was overtaken by what follows it', () => {
    const driver = new HostNodeDriver();
    driver.hear('DBIRTH/a', { seq: 1, metrics: [metric('t', 20, 2n)] });
    driver.hear('DDATA/a', { seq: 2, metrics: [metric('t', 21)] });
    const effects = driver.hear('NBIRTH', { seq: 0, metrics: [bdSeq(0)] });
    assert.deepEqual(kinds(effects), ['node-born', 'device-born', 'values']);
  });

  it('nothing that was sent in the millisecond of the birth, unless it follows the birth', () => {
    const driver = new HostNodeDriver();
    for (const seq of [1, 2, 4]) driver.hear('NDATA', { seq, metrics: [metric('x', seq)] });
    const metrics = [bdSeq(0), metric('x', 0)];
    const effects = driver.hear('NBIRTH', { seq: 0, metrics });
    assert.deepEqual(kinds(effects), ['node-born', 'values', 'values']);
    assert.deepEqual(driver.node.buffer, []);
  });

  it('numbers that go round: 0 after 255', () => {
    const driver = new HostNodeDriver();
    driver.bear();
    for (let i = 2; i < 600; i++) {
      assert.deepEqual(kinds(driver.hear('NDATA', { seq: i % 256 })), ['values']);
    }
  });

  for (const missing of [1, 2, 128, 255]) {
    it(`that ${missing} messages in a row are missing`, () => {
      const driver = new HostNodeDriver();
      driver.bear();
      driver.hear('NDATA', { seq: (2 + missing) % 256 });
      assert.deepEqual(kinds(driver.tick(2000)), lost);
    });
  }
});

describe('what an edge node must not send', () => {
  const data = (alias: bigint) => [{ alias, value: { kind: 'double', value: 1 } as const }];
  const cases: Record<string, [string, Parameters<HostNodeDriver['hear']>[1]]> = {
    'data of an unknown alias': ['NDATA', { seq: 2, metrics: data(9n) }],
    'data of an alias of a device': ['NDATA', { seq: 2, metrics: data(2n) }],
    'data of an unknown name': ['NDATA', { seq: 2, metrics: [metric('y', 1)] }],
    'data of an unknown device': ['DDATA/b', { seq: 2, metrics: data(2n) }],
    'data without alias and name': ['NDATA', { seq: 2, metrics: [{ value: null }] }],
  };
  for (const [what, [verb, payload]] of Object.entries(cases)) {
    it(`${what}: nothing is taken, births are asked for`, () => {
      const driver = new HostNodeDriver();
      driver.bear();
      const effects = kinds(driver.hear(verb, payload));
      assert.deepEqual(effects, ['node-lost', 'metric-unknown', 'NCMD', 'wake']);
    });
  }

  it('data of an alias of another, whose name is the same', () => {
    for (const verb of ['NDATA', 'DDATA/a']) {
      const driver = new HostNodeDriver();
      driver.bear();
      driver.hear('DBIRTH/b', { seq: 2, metrics: [metric('x', 1, 3n), metric('t', 1, 4n)] });
      const alias = verb === 'NDATA' ? 3n : 4n;
      const effects = kinds(driver.hear(verb, { seq: 3, metrics: data(alias) }));
      assert.deepEqual(effects, ['node-lost', 'metric-unknown', 'NCMD', 'wake']);
    }
  });

  it('one alias for two metrics', () => {
    for (const [verb, payload] of [
      ['DBIRTH/b', { seq: 2, metrics: [metric('s', 1, 1n)] }],
      ['DBIRTH/b', { seq: 2, metrics: [metric('s', 1, 3n), metric('r', 1, 3n)] }],
      ['NDATA', { seq: 2, metrics: [metric('y', 1, 1n)] }],
    ] as const) {
      const driver = new HostNodeDriver();
      driver.bear();
      const effects = kinds(driver.hear(verb, payload));
      assert.deepEqual(effects, ['node-lost', 'alias-conflict', 'NCMD', 'wake']);
    }
    const again = new HostNodeDriver();
    again.bear();
    const reborn = again.hear('DBIRTH/a', { seq: 2, metrics: [metric('t', 1, 2n)] });
    assert.deepEqual(kinds(reborn), ['device-born']);
  });

  it('a value of another type: that one is refused, the others count', () => {
    const driver = new HostNodeDriver();
    driver.bear();
    const wrong = { alias: 1n, value: { kind: 'int', value: 1 } as const };
    const effects = driver.hear('NDATA', { seq: 2, metrics: [wrong, ...data(1n), { alias: 1n }] });
    assert.deepEqual(kinds(effects), ['values', 'value-mismatch', 'value-mismatch']);
    assert.equal(effects[0]?.kind === 'values' && effects[0].values.length, 1);
    assert.deepEqual(kinds(driver.hear('NDATA', { seq: 3 })), ['values']);
  });

  it('two messages of one number: two clients of one id', () => {
    const driver = new HostNodeDriver();
    driver.bear();
    driver.hear('NDATA', { seq: 5 });
    const effects = kinds(driver.hear('NDATA', { seq: 5 }));
    assert.deepEqual(effects, ['node-lost', 'sequence-conflict', 'NCMD', 'wake']);
  });

  it('what cannot be read', () => {
    const driver = new HostNodeDriver();
    assert.deepEqual(kinds(driver.raw('spBv1.0/g/NDATA/n', Uint8Array.of(255))), [
      'payload-malformed',
    ]);
    assert.equal(driver.nodes.get({ group: 'g', node: 'n' }), undefined);
    for (const [seq, code] of [
      [undefined, 'message-malformed'],
      [256, 'message-malformed'],
    ] as const) {
      const born = new HostNodeDriver();
      born.bear();
      assert.deepEqual(kinds(born.hear('NDATA', { seq })), ['node-lost', code, 'NCMD', 'wake']);
    }
    driver.bear();
    const effects = kinds(driver.raw('spBv1.0/g/NDATA/n', Uint8Array.of(255)));
    assert.deepEqual(effects, ['node-lost', 'message-malformed', 'NCMD', 'wake']);
  });

  it('a birth that lacks what a birth must have', () => {
    const births = [
      { metrics: [bdSeq(0)] },
      { seq: 256, metrics: [bdSeq(0)] },
      { seq: 0, metrics: [metric('x', 1)] },
      { seq: 0, metrics: [bdSeq(256)] },
      { seq: 0, timestampMs: undefined, metrics: [bdSeq(0)] },
      { seq: 0, metrics: [bdSeq(0), { name: 'x', value: null }] },
      { seq: 0, metrics: [bdSeq(0), { datatype: 'Double', value: null }] },
      { seq: 0, metrics: [bdSeq(0), metric('x', 1), metric('x', 1)] },
    ] as const;
    for (const payload of births) {
      const effects = kinds(new HostNodeDriver().hear('NBIRTH', payload));
      assert.deepEqual(effects, ['birth-malformed', 'NCMD', 'wake']);
    }
    const driver = new HostNodeDriver();
    const valueless = { name: 'x', datatype: 'Double' } as const;
    const effects = driver.hear('NBIRTH', { seq: 0, metrics: [bdSeq(0), valueless] });
    assert.deepEqual(kinds(effects), ['value-mismatch', 'NCMD', 'wake']);
  });
});

describe('what an edge node keeps in a host', () => {
  it('is bounded in devices and metrics; one that is too large is left out until born anew', () => {
    const driver = new HostNodeDriver({ devicesMax: 2, metricsMax: 4 });
    driver.bear();
    assert.deepEqual(kinds(driver.hear('DBIRTH/b', { seq: 2 })), ['device-born']);
    const third = kinds(driver.hear('DBIRTH/c', { seq: 3 }));
    assert.deepEqual(third, ['node-lost', 'node-too-large']);
    assert.deepEqual(driver.hear('NDATA', { seq: 4 }), []);
    const many = Array.from({ length: 5 }, (_, i) => metric(`m${i}`, 1));
    const born = driver.hear('NBIRTH', { seq: 0, metrics: [bdSeq(0), ...many] });
    assert.deepEqual(kinds(born), ['node-too-large']);
    assert.equal(driver.node.metrics.size + driver.node.devices.size + driver.node.aliases.size, 0);
    assert.deepEqual(kinds(driver.bear()), ['node-born', 'device-born']);
  });

  it('is bounded in messages that wait, and their bytes', () => {
    for (const [limits, count] of [
      [{ bufferMessagesMax: 3 }, 3],
      [{ bufferBytesMax: 3000 }, 2],
    ] as const) {
      const driver = new HostNodeDriver(limits);
      driver.bear();
      const body = new Uint8Array(1000);
      for (let i = 0; i < count; i++) driver.hear('NDATA', { seq: 3 + i, body });
      assert.equal(driver.node.buffer.length, count);
      assert.deepEqual(kinds(driver.hear('NDATA', { seq: 99, body })), lost);
    }
  });

  it('is bounded in edge nodes; what is forgotten makes room', () => {
    const driver = new HostNodeDriver();
    const birth = (node: string) => driver.raw(`spBv1.0/g/NBIRTH/${node}`, new Uint8Array());
    for (const node of ['a', 'b', 'c']) birth(node);
    assert.deepEqual(kinds(birth('d')), ['too-many-nodes']);
    driver.nodes.forget({ group: 'g', node: 'a' });
    assert.deepEqual(kinds(birth('d')), ['birth-malformed', 'NCMD', 'wake']);
    assert.deepEqual(driver.tick(), []);
  });

  it('is nothing of what was retained, or is not for a host', () => {
    const driver = new HostNodeDriver();
    const retained = driver.raw('spBv1.0/g/NBIRTH/n', new Uint8Array(), true);
    assert.deepEqual(kinds(retained), ['message-retained']);
    for (const topic of ['spBv1.0/g/NCMD/n', 'spBv1.0/STATE/n', 'a/b']) {
      assert.deepEqual(driver.raw(topic, new Uint8Array()), []);
    }
    assert.equal(driver.nodes.get({ group: 'g', node: 'n' }), undefined);
  });
});
