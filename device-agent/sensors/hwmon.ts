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
import { listEntries, readNumber, selectByName, toIdPart, tryReadAttribute } from './sysfs.ts';

/** By the attribute's prefix: Documentation/hwmon/sysfs-interface.rst of the kernel. */
const quantities: Readonly<Record<string, Quantity>> = {
  temp: temperature,
  in: { noun: 'voltage', unit: 'V', divisor: 1e3 },
  curr: { noun: 'current', unit: 'A', divisor: 1e3 },
  power: { noun: 'power', unit: 'W', divisor: 1e6 },
  fan: { noun: 'speed', unit: '/min', divisor: 1 },
  humidity: { noun: 'humidity', unit: '%', divisor: 1e3, range: [0, 100] },
};

export interface HwmonOptions {
  readonly root: string;
  readonly periodMs: number;
  /** Contents of `name`; all chips where not given. */
  readonly chips?: readonly string[] | undefined;
}

/**
 * The chips of the kernel's hardware monitoring, one sensor each. A property is
 * `chip/label-quantity`, or `chip/quantity-number` where the channel has no label.
 *
 * Errors: a chip asked for by name that is not there, `sensor-not-found` (exit 78).
 */
export function findHwmonSensors({ root, periodMs, chips }: HwmonOptions): LiveSensor[] {
  const folder = join(root, 'class/hwmon');
  const found = findNamedDevices(folder, /^hwmon\d+$/)
    .map((chip) => ({ name: chip.name, channels: channelsOf(chip) }))
    .filter(({ channels }) => channels.length > 0);
  return selectByName({ noun: 'hwmon chip', folder, found, wanted: chips }).map(
    ({ name, channels }) => channelSensor(`hwmon ${name}`, periodMs, channels),
  );
}

const VALUE_FILE = /^([a-z]+)(\d+)_(input|average)$/;

function channelsOf(chip: NamedDevice): Channel[] {
  const files = listEntries(chip.folder, VALUE_FILE);
  return files.flatMap((file) => {
    const [, kind, number, form] = file.match(VALUE_FILE) as string[];
    const quantity = quantityOf(chip.name, kind!, Number(number));
    const inputToo = form === 'average' && files.includes(`${kind}${number}_input`);
    if (quantity === undefined || inputToo) return [];
    const label = labelOf(chip, kind!, number!);
    const name = label === '' ? `${quantity.noun}-${number}` : `${label}-${quantity.noun}`;
    const read = () => readNumber(join(chip.folder, file));
    return quantityChannel(`${chip.feature}/${name}`, quantity, read);
  });
}

/** An INA3221 (Jetson's power rails) gives shunt voltages as in4 to in7, in microvolts. */
function quantityOf(chip: string, kind: string, number: number): Quantity | undefined {
  if (chip === 'ina3221' && kind === 'in' && number >= 4) {
    return { noun: 'shunt-voltage', unit: 'V', divisor: 1e6 };
  }
  return quantities[kind];
}

/** An INA3221 names its rails at their voltages only. */
function labelOf({ name, folder }: NamedDevice, kind: string, number: string): string {
  const labelled = name === 'ina3221' && kind === 'curr' ? 'in' : kind;
  return toIdPart(tryReadAttribute(join(folder, `${labelled}${number}_label`)) ?? '');
}
