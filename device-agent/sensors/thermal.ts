import { join } from 'node:path';
import { channelSensor, quantityChannel, temperature } from './channel-sensor.ts';
import type { LiveSensor } from './sensor.ts';
import { listEntries, readNumber, selectByName, toIdPart, tryReadAttribute } from './sysfs.ts';

export interface ThermalOptions {
  readonly root: string;
  readonly periodMs: number;
  /** Contents of `type`; all zones where not given. */
  readonly zones?: readonly string[] | undefined;
}

/**
 * The kernel's thermal zones as one sensor, `thermal/type` in Cel; none where there are no zones.
 * Zones of the same type have nothing else to tell them apart and are numbered from the second on.
 *
 * Errors: a zone asked for by type that is not there, `sensor-not-found` (exit 78).
 */
export function findThermalSensors({ root, periodMs, zones }: ThermalOptions): LiveSensor[] {
  const folder = join(root, 'class/thermal');
  const found = listEntries(folder, /^thermal_zone\d+$/).flatMap((entry) => {
    const name = tryReadAttribute(join(folder, entry, 'type'));
    return name === undefined ? [] : { name, file: join(folder, entry, 'temp') };
  });
  const seen = new Map<string, number>();
  const channels = selectByName({ noun: 'thermal zone', folder, found, wanted: zones }).map(
    ({ name, file }) => {
      const ordinal = (seen.get(name) ?? 0) + 1;
      seen.set(name, ordinal);
      const suffix = ordinal === 1 ? '' : `-${ordinal}`;
      const property = `thermal/${toIdPart(name)}${suffix}`;
      return quantityChannel(property, temperature, () => readNumber(file));
    },
  );
  return channels.length === 0 ? [] : [channelSensor('thermal', periodMs, channels)];
}
