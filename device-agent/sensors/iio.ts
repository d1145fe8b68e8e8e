import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Channel,
  channelSensor,
  type Quantity,
  quantityChannel,
  temperature,
} from './channel-sensor.ts';
import { findNamedDevices, type NamedDevice } from './named-device.ts';
import type { LiveSensor } from './sensor.ts';
import { listEntries, readNumber, selectByName, toIdPart } from './sysfs.ts';

/** By channel type: Documentation/ABI/testing/sysfs-bus-iio of the kernel. */
const quantities: Readonly<Record<string, Quantity>> = {
  temp: temperature,
  humidityrelative: { noun: 'humidity', unit: '%', divisor: 1e3, range: [0, 100] },
  pressure: { noun: 'pressure', unit: 'kPa', divisor: 1 },
  voltage: { noun: 'voltage', unit: 'V', divisor: 1e3 },
  current: { noun: 'current', unit: 'A', divisor: 1e3 },
  power: { noun: 'power', unit: 'W', divisor: 1e3 },
  resistance: { noun: 'resistance', unit: 'Ohm', divisor: 1 },
  accel: { noun: 'acceleration', unit: 'm/s2', divisor: 1 },
  anglvel: { noun: 'angular-velocity', unit: 'rad/s', divisor: 1 },
  magn: { noun: 'magnetic-flux-density', unit: 'G', divisor: 1 },
  illuminance: { noun: 'illuminance', unit: 'lx', divisor: 1 },
  distance: { noun: 'distance', unit: 'm', divisor: 1 },
};

export interface IioOptions {
  readonly root: string;
  readonly periodMs: number;
  /** Contents of `name`; all devices where not given. */
  readonly devices?: readonly string[] | undefined;
}

/**
 * The devices of the kernel's Industrial I/O, one sensor each. A property is
 * `device/quantity[-number][-axis]`; its value is the processed `_input` where the driver gives
 * one, otherwise (raw + offset) x scale. Channels of types without a known unit are left out.
 *
 * Errors: a device asked for by name that is not there, `sensor-not-found` (exit 78).
 */
export function findIioSensors({ root, periodMs, devices }: IioOptions): LiveSensor[] {
  const folder = join(root, 'bus/iio/devices');
  const found = findNamedDevices(folder, /^iio:device\d+$/)
    .map((device) => ({ name: device.name, channels: channelsOf(device) }))
    .filter(({ channels }) => channels.length > 0);
  return selectByName({ noun: 'IIO device', folder, found, wanted: devices }).map(
    ({ name, channels }) => channelSensor(`iio ${name}`, periodMs, channels),
  );
}

/** Type, number, the other end of a differential channel, modifier or extended name, form. */
const VALUE_FILE = /^in_([a-z]+)(\d*)((?:-[a-z]+\d+)?)((?:_\w+)?)_(raw|input)$/;

function channelsOf({ folder, feature }: NamedDevice): Channel[] {
  const files = listEntries(folder, VALUE_FILE);
  return files.flatMap((file) => {
    const [, type, number, pair, modifier, form] = file.match(VALUE_FILE) as string[];
    const quantity = quantities[type!];
    const stem = `in_${type}${number}${pair}${modifier}`;
    const inputToo = form === 'raw' && files.includes(`${stem}_input`);
    if (quantity === undefined || inputToo) return [];
    const property = `${feature}/${toIdPart(`${quantity.noun}-${number}${pair}${modifier}`)}`;
    const processed = () => readNumber(join(folder, file));
    if (form === 'input') return quantityChannel(property, quantity, processed);
    const shared = `in_${type}${pair && `-${type}`}`;
    const stems = [stem, `in_${type}${number}${pair}`, shared, `in_${type}`];
    return quantityChannel(property, quantity, rawReader(folder, file, stems));
  });
}

/** Scale and offset are a channel's own, or shared with others of its type: the nearest counts. */
function rawReader(folder: string, file: string, stems: readonly string[]): () => number {
  const nearest = (what: string) =>
    stems.map((stem) => join(folder, `${stem}_${what}`)).find((path) => existsSync(path));
  const offsetFile = nearest('offset');
  const scaleFile = nearest('scale');
  return () => {
    const offset = offsetFile === undefined ? 0 : readNumber(offsetFile);
    const scale = scaleFile === undefined ? 1 : readNumber(scaleFile);
    return (readNumber(join(folder, file)) + offset) * scale;
  };
}
