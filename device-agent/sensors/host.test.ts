import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fakeRoot } from './fake-root.fixture.ts';
import { createHostSensor } from './host.ts';

describe('host', () => {
  const proc = fakeRoot({
    loadavg: '0.33 0.12 0.04 1/93 6273\n',
    meminfo: 'MemTotal:       24684096 kB\nMemFree:  1 kB\nMemAvailable:   24298552 kB\n',
    stat: 'cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1 1 1 1 1 0 0 0 0 0\n',
  });
  const sensor = createHostSensor({ procRoot: proc.root, periodMs: 1000 });
  const read = async () =>
    Object.fromEntries(
      (await sensor.read()).map(({ property, value, quality }) => [
        property,
        `${value} ${quality}`,
      ]),
    );

  it('gives load, memory in bytes and the share of time the processor was busy', async () => {
    assert.deepEqual(await read(), {
      'cpu/load': '0.33 ok',
      'cpu/usage': '20 ok',
      'memory/available': `${24298552 * 1024} ok`,
      'memory/total': `${24684096 * 1024} ok`,
    });
  });

  it('gives the usage since the reading before, not counting guests twice', async () => {
    proc.write('stat', 'cpu  160 0 115 720 105 0 0 0 110 0\n');
    assert.equal((await read())['cpu/usage'], '75 ok');
    assert.equal((await read())['cpu/usage'], '75 ok', 'within one tick of the counters');
  });

  it('names the file and the field that is missing', async () => {
    proc.write('meminfo', 'MemTotal: 1024 kB\n');
    const observation = (await sensor.read()).find(
      ({ property }) => property === 'memory/available',
    );
    assert.match(observation?.problem ?? '', /meminfo has no MemAvailable/);
    assert.equal((await read())['memory/total'], '1048576 ok');
  });

  it('reads this machine', { skip: process.platform !== 'linux' }, async () => {
    const values = await createHostSensor({ procRoot: '/proc', periodMs: 1000 }).read();
    assert.deepEqual(
      values.map(({ quality }) => quality),
      ['ok', 'ok', 'ok', 'ok'],
    );
  });
});
