import { z } from 'zod';
import type { Database } from '#runtime/database/database.ts';
import type { JsonObject } from '#shared/twin/document/json.ts';
import { type Feature, newThing, splitPath, type Thing } from '#shared/twin/document/thing.ts';
import { qualities } from '#shared/twin/sample.ts';
import type { SampleStore } from './sample-store.ts';

/** A twin as the store's first format has it. */
const oldTwinSchema = z.object({
  device: z.string(),
  revision: z.int(),
  modifiedMs: z.number(),
  units: z.record(z.string(), z.string()),
  attributes: z.custom<JsonObject>(),
  reported: z.record(
    z.string(),
    z.object({
      value: z.number().nullable(),
      timeMs: z.number(),
      quality: z.enum(qualities),
    }),
  ),
});
type OldTwin = z.infer<typeof oldTwinSchema>;

/**
 * Takes the twins of the store's first format out of its table, as things. Belongs into the
 * transaction that keeps them.
 */
export function takeOldTwins(
  database: Database,
  {
    samples,
    thingIdOf,
    newEpoch,
  }: {
    samples: SampleStore;
    thingIdOf: (device: string) => string;
    newEpoch: () => string;
  },
): { device: string; thing: Thing }[] {
  const rows = database.prepare('SELECT state FROM twins').all() as { state: string }[];
  database.prepare('DELETE FROM twins').run();
  return rows.map(({ state }) => {
    const twin = oldTwinSchema.parse(JSON.parse(state));
    const { device, revision, modifiedMs, units, attributes } = twin;
    const thing: Thing = {
      ...newThing(thingIdOf(device), newEpoch()),
      ...{ exists: true, revision, createdMs: modifiedMs, modifiedMs, units, attributes },
      features: featuresOf(twin, samples),
      presence: { online: false, sinceMs: modifiedMs },
    };
    return { device, thing };
  });
}

function featuresOf({ device, modifiedMs, reported }: OldTwin, samples: SampleStore) {
  const newest = samples.newestEpoch(device);
  // Of which sequence each value was is not known: at most the newest, and what follows is newer.
  const source =
    newest === undefined
      ? {}
      : {
          source: {
            epoch: newest.epoch,
            generation: newest.generation,
            sequence: newest.committed,
          },
        };
  const features = new Map<string, Map<string, Feature['properties'][string]>>();
  for (const [path, value] of Object.entries(reported)) {
    const { feature, property } = splitPath(path);
    const properties = features.get(feature) ?? new Map();
    features.set(
      feature,
      properties.set(property, { ...value, receivedMs: modifiedMs, ...source }),
    );
  }
  return Object.fromEntries(
    [...features].map(([name, properties]): [string, Feature] => [
      name,
      { properties: Object.fromEntries(properties), desired: {} },
    ]),
  );
}
