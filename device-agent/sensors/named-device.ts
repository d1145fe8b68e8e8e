import { realpathSync } from 'node:fs';
import { join, sep } from 'node:path';
import { listEntries, toIdPart, tryReadAttribute } from './sysfs.ts';

/** A kernel device known by its `name`: its number changes from one start to the next. */
export interface NamedDevice {
  readonly name: string;
  readonly folder: string;
  /** First part of its property ids: its name, and its place on the bus where others share it. */
  readonly feature: string;
}

/** The devices of a class of the kernel's: sub-folders that match and have a `name`. */
export function findNamedDevices(classFolder: string, pattern: RegExp): NamedDevice[] {
  const found = listEntries(classFolder, pattern).flatMap((entry) => {
    const folder = join(classFolder, entry);
    const name = tryReadAttribute(join(folder, 'name'));
    return name === undefined ? [] : { name, folder };
  });
  return found.map(({ name, folder }) => {
    const shared = found.filter((other) => other.name === name).length > 1;
    return { name, folder, feature: toIdPart(shared ? `${name}-${placeOf(folder)}` : name) };
  });
}

/** The part that carries the device: `1-0076` in /sys/devices/.../i2c-1/1-0076/hwmon/hwmon0. */
function placeOf(folder: string): string {
  const parts = realpathSync(folder).split(sep);
  return parts.findLast((part) => !/^(hwmon\d*|iio:device\d+)$/.test(part)) ?? '';
}
