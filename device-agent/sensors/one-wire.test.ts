import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fakeRoot } from './fake-root.fixture.ts';
import { findOneWireSensors } from './one-wire.ts';

const SLAVE = 'bus/w1/devices/28-0316a2794bff/w1_slave';
const slaveText = (verdict: string, millidegrees: number) =>
  `72 01 4b 46 7f ff 0e 10 57 : crc=57 ${verdict}\n` +
  `72 01 4b 46 7f ff 0e 10 57 t=${millidegrees}\n`;

describe('1-Wire', () => {
  const fake = fakeRoot({
    [SLAVE]: slaveText('YES', 23125),
    'bus/w1/devices/w1_bus_master1/w1_master_name': 'w1_bus_master1\n',
    'bus/w1/devices/01-0000deadbeef/id': 'not a thermometer\n',
  });
  const [sensor] = findOneWireSensors({ root: fake.root, periodMs: 10_000 });
  const readWith = async (text: string) => {
    fake.write(SLAVE, text);
    const [{ value, quality } = { value: undefined, quality: undefined }] = await sensor!.read();
    return `${value} ${quality}`;
  };

  it('finds the thermometers among the devices', () => {
    assert.deepEqual(sensor?.properties, [
      { property: 'one-wire/28-0316a2794bff', unit: 'Cel', range: [-55, 125] },
    ]);
  });

  it('gives the temperature, also below zero', async () => {
    assert.equal(await readWith(slaveText('YES', 23125)), '23.125 ok');
    assert.equal(await readWith(slaveText('YES', -10062)), '-10.062 ok');
  });

  it('rejects a wrong checksum, and the right one of a dead line', async () => {
    assert.equal(await readWith(slaveText('NO', 23125)), 'null crc');
    const zeros = '00 00 00 00 00 00 00 00 00';
    assert.equal(await readWith(`${zeros} : crc=00 YES\n${zeros} t=0\n`), 'null crc');
  });

  it('rejects the power-on value and what the part cannot measure', async () => {
    assert.equal(await readWith(slaveText('YES', 85000)), 'null range');
    assert.equal(await readWith(slaveText('YES', 85062)), '85.062 ok');
    assert.equal(await readWith(slaveText('YES', 127000)), '127 range');
    assert.equal(await readWith(' crc=57 YES\n72 01\n'), 'null range');
  });

  it('goes on to the next thermometer where one is gone', async () => {
    const other = SLAVE.replace('28-0316', '28-0415');
    const two = fakeRoot({ [SLAVE]: slaveText('YES', 1000), [other]: slaveText('YES', 2000) });
    const [pair] = findOneWireSensors({ root: two.root, periodMs: 10_000 });
    two.remove(SLAVE);
    const values = await pair!.read();
    assert.deepEqual(
      values.map(({ value, quality }) => `${value} ${quality}`),
      ['null gap', '2 ok'],
    );
  });

  it('misses a device that was asked for', () => {
    assert.throws(
      () => findOneWireSensors({ root: fake.root, periodMs: 1000, devices: ['28-000000000000'] }),
      /no 1-Wire thermometer 28-000000000000 .*\(found: 28-0316a2794bff\)/,
    );
    assert.deepEqual(findOneWireSensors({ root: fakeRoot().root, periodMs: 1000 }), []);
  });
});
