import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Metric } from './metric.ts';
import { encodePayload } from './payload.ts';
import { EdgeDriver, keeps, publications, see, verbs } from './session.fixture.ts';

const rebirth: Metric = { name: 'Node Control/Rebirth', value: { kind: 'boolean', value: true } };

/** Born, with a writable `rate` of its own, and `led` and `t` of the device `a`. */
function born(): EdgeDriver {
  const driver = new EdgeDriver({ rebirthIntervalMs: 1000 }, undefined, 8);
  driver.define([{ name: 'rate', datatype: 'Int16', isWritable: true }]);
  driver.defineDevice('a', [
    { name: 'led', datatype: 'Boolean', isWritable: true },
    { name: 't', datatype: 'Double' },
  ]);
  driver.bear();
  driver.clock.advance(5000);
  return driver;
}

function command(driver: EdgeDriver, topic: string, ...metrics: Metric[]) {
  return driver.deliver(topic, encodePayload({ timestampMs: 1, metrics }));
}

const NCMD = 'spBv1.0/g/NCMD/n';
const DCMD = 'spBv1.0/g/DCMD/n/a';

describe('a request for births', () => {
  it(
    keeps(
      `tck-id-operational-behavior-data-commands-rebirth-action-2
     tck-id-operational-behavior-data-commands-rebirth-action-3
     tck-id-payloads-nbirth-bdseq-repeat`,
      'is answered at once by all of them, with the bdSeq there was',
    ),
    () => {
      const driver = born();
      const births = publications(command(driver, NCMD, rebirth)).map(see);
      assert.deepEqual(verbs(births), ['NBIRTH', 'DBIRTH/a']);
      assert.deepEqual(
        births.map(({ payload }) => payload.seq),
        [0, 1],
      );
      const bdSeq = births[0]?.payload.metrics.find(({ name }) => name === 'bdSeq');
      assert.deepEqual(bdSeq?.value, { kind: 'long', value: 9n });
    },
  );

  it(
    keeps(
      'tck-id-operational-behavior-data-commands-rebirth-action-1',
      'that comes soon after another stops data until its time has come',
    ),
    () => {
      const driver = born();
      command(driver, NCMD, rebirth);
      driver.clock.advance(400);
      assert.deepEqual(command(driver, NCMD, rebirth), [{ kind: 'wake', atMs: 6000 }]);
      const report = () => driver.sent({ kind: 'report', readings: [driver.reading('rate', 7)] });
      assert.deepEqual(report(), []);
      driver.clock.advance(599);
      assert.deepEqual(driver.sent({ kind: 'tick' }), []);
      driver.clock.advance(1);
      const births = driver.sent({ kind: 'tick' });
      assert.deepEqual(verbs(births), ['NBIRTH', 'DBIRTH/a']);
      assert.deepEqual(driver.sent({ kind: 'tick' }), []);
      assert.deepEqual(report(), []);
      assert.equal(driver.session.node.get('rate')?.current.value, 7);
      assert.deepEqual(births[0]?.payload.metrics.find(({ name }) => name === 'rate')?.value, {
        kind: 'int',
        value: 7,
      });
    },
  );

  it('is none where it says false, comes from before, or is for another', () => {
    const driver = born();
    const no: Metric = { ...rebirth, value: { kind: 'boolean', value: false } };
    assert.deepEqual(command(driver, NCMD, no), []);
    assert.deepEqual(command(driver, 'spBv1.0/g/NCMD/m', rebirth), []);
    assert.deepEqual(command(driver, 'spBv1.0/g/NDATA/n', rebirth), []);
    assert.deepEqual(driver.deliver(NCMD, encodePayload({ metrics: [rebirth] }), true), []);
  });
});

describe('a command', () => {
  it('writes what it names, by alias or name', () => {
    const driver = born();
    const alias = driver.session.node.get('rate')!.alias;
    const value = { kind: 'int', value: 0xffff } as const;
    const writes = [{ name: 'rate', value: -1 }];
    assert.deepEqual(command(driver, NCMD, { alias, value }), [{ kind: 'write', writes }]);
    assert.deepEqual(command(driver, NCMD, { name: 'rate', value }), [{ kind: 'write', writes }]);
    const on = { name: 'led', value: { kind: 'boolean', value: true } } as const;
    assert.deepEqual(command(driver, DCMD, on, { name: 'led', value: null }), [
      {
        kind: 'write',
        device: 'a',
        writes: [
          { name: 'led', value: true },
          { name: 'led', value: null },
        ],
      },
    ]);
  });

  it(
    keeps(
      `tck-id-operational-behavior-data-commands-ncmd-metric-name
     tck-id-operational-behavior-data-commands-dcmd-metric-name
     tck-id-operational-behavior-data-commands-ncmd-metric-value
     tck-id-operational-behavior-data-commands-dcmd-metric-value`,
      'is refused with a code what it cannot write, and writes the rest',
    ),
    () => {
      const driver = born();
      const codes = (topic: string, ...metrics: Metric[]) =>
        command(driver, topic, ...metrics).map((effect) =>
          effect.kind === 'refused' ? effect.failure.code : effect.kind,
        );
      const one = { kind: 'int', value: 1 } as const;
      const good: Metric = { name: 'rate', value: one };
      assert.deepEqual(codes(NCMD, { name: 'speed', value: one }, good), [
        'metric-unknown',
        'write',
      ]);
      assert.deepEqual(codes(NCMD, { alias: 999n, value: one }), ['metric-unknown']);
      assert.deepEqual(codes(NCMD, { name: 'rate' }), ['value-mismatch']);
      assert.deepEqual(codes(DCMD, { name: 'led', value: one }), ['value-mismatch']);
      assert.deepEqual(codes(DCMD, { name: 't', value: one }), ['metric-read-only']);
      assert.deepEqual(codes(DCMD, rebirth), ['metric-unknown']);
      assert.deepEqual(codes('spBv1.0/g/DCMD/n/z', good), ['device-unknown']);
      const [garbage] = driver.deliver(NCMD, Uint8Array.of(0xff));
      assert.equal(garbage?.kind === 'refused' && garbage.failure.code, 'command-malformed');
      driver.do({ kind: 'device-down', device: 'a' });
      assert.deepEqual(codes(DCMD, { name: 'led', value: one }), ['device-unknown']);
    },
  );
});
