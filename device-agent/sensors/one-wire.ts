import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  gap,
  type LiveSensor,
  type Observation,
  observe,
  type PropertyDescriptor,
} from './sensor.ts';
import { listEntries, selectByName } from './sysfs.ts';

/** By family code, in this order: DS18S20, DS1822, DS18B20, DS1825, DS28EA00. */
const THERMOMETER = /^(10|22|28|3b|42)-[0-9a-f]{12}$/;
/** What a sensor answers that was powered up but has not converted. */
const POWER_ON_MILLIDEGREES = 85_000;

export interface OneWireOptions {
  readonly root: string;
  readonly periodMs: number;
  /** Serial numbers as the kernel writes them (`28-0316a2794bff`); all where not given. */
  readonly devices?: readonly string[] | undefined;
}

/**
 * The thermometers on the 1-Wire buses as one sensor, `one-wire/serial` in Cel. Reading one takes
 * about 750 ms, off the event loop; they are read one after another, so that they never hold more
 * than one of the threads that other files wait for.
 *
 * Errors: a device asked for that is not there, `sensor-not-found` (exit 78).
 */
export function findOneWireSensors({ root, periodMs, devices }: OneWireOptions): LiveSensor[] {
  const folder = join(root, 'bus/w1/devices');
  const found = listEntries(folder, THERMOMETER).map((name) => ({ name }));
  const channels = selectByName({
    noun: '1-Wire thermometer',
    folder,
    found,
    wanted: devices,
  }).map(({ name }) => ({
    descriptor: { property: `one-wire/${name}`, unit: 'Cel', range: [-55, 125] as const },
    file: join(folder, name, 'w1_slave'),
  }));
  if (channels.length === 0) return [];
  return [
    {
      kind: 'live',
      name: 'one-wire',
      periodMs,
      properties: channels.map(({ descriptor }) => descriptor),
      async read() {
        const observations: Observation[] = [];
        for (const { descriptor, file } of channels) {
          observations.push(
            await readFile(file, 'utf8').then(
              (text) => judge(descriptor, text),
              (error) => gap(descriptor, error),
            ),
          );
        }
        return observations;
      },
    },
  ];
}

/** `w1_slave` ends its first line in the verdict on the checksum, its second in `t=` m°C. */
function judge(descriptor: PropertyDescriptor, text: string): Observation {
  const { property } = descriptor;
  // A line held low reads as nothing but zeros, whose checksum is right.
  if (!/ crc=[0-9a-f]{2} YES$/m.test(text) || text.startsWith('00 00 00 00 00 00 00 00 00')) {
    return { property, value: null, quality: 'crc', problem: 'the checksum does not match' };
  }
  const millidegrees = Number(text.match(/ t=(-?\d+)$/m)?.[1] ?? Number.NaN);
  if (millidegrees === POWER_ON_MILLIDEGREES) {
    const problem = 'it gave its power-on value, 85 Cel: check its supply';
    return { property, value: null, quality: 'range', problem };
  }
  return observe(descriptor, millidegrees / 1000);
}
