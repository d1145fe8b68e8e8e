import { ownValue } from '#shared/twin/document/json.ts';
import { type ReportedProperty, splitPath, type Thing } from '#shared/twin/document/thing.ts';

/** The device that a thing's id, `group:device`, is of. */
export function deviceOf({ thingId }: Thing): string {
  return thingId.slice(thingId.indexOf(':') + 1);
}

/** What is reported of `feature/property`. */
export function reportedOf({ features }: Thing, path: string): ReportedProperty | undefined {
  const { feature, property } = splitPath(path);
  const reported = ownValue(ownValue(features, feature)?.properties ?? {}, property);
  return reported?.value === undefined ? undefined : reported;
}

/** When the newest of what a device reported was measured; `undefined` before the first. */
export function newestSampleMs({ features }: Thing): number | undefined {
  let newestMs: number | undefined;
  for (const { properties } of Object.values(features)) {
    for (const { value, source, timeMs, writtenBy } of Object.values(properties)) {
      if (value === undefined || source === undefined || writtenBy !== undefined) continue;
      newestMs = Math.max(newestMs ?? timeMs, timeMs);
    }
  }
  return newestMs;
}
