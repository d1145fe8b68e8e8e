import { anomalyScoreProperty, type Quality } from '#shared/twin/sample.ts';
import type { Twin } from '#shared/twin/twin.ts';

/** Eclipse Ditto's id of the device's thing: `group:device`. */
function thingIdOf(group: string, device: string): string {
  return `${group}:${device}`;
}

export interface Thing {
  readonly thingId: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly features: Record<string, { properties: Record<string, number | null> }>;
  readonly _revision: number;
  readonly _modified: string;
  /** Per property: when it was measured, how long ago, in what unit, how good. */
  readonly _metadata: {
    readonly features: Record<string, { properties: Record<string, PropertyMetadata> }>;
  };
  readonly online: boolean;
  /** Milliseconds since the newest sample was measured; `null` before the first. */
  readonly ageMs: number | null;
  /** How far the newest forecast was off, in units of normal change; `null` without a model. */
  readonly anomalyScore: number | null;
}

export interface PropertyMetadata {
  readonly time: string;
  readonly ageMs: number;
  readonly quality: Quality;
  readonly unit?: string;
}

/** The twin as the HTTP API shows it: Ditto's thing, plus age and anomaly score. */
export function twinToThing(twin: Twin, group: string, nowMs: number): Thing {
  // Without a prototype: a device may call a feature "constructor".
  const features: Thing['features'] = Object.create(null);
  const metadata: Thing['_metadata']['features'] = Object.create(null);
  let newestMs: number | undefined;
  for (const [path, { value, timeMs, quality }] of Object.entries(twin.reported)) {
    const [feature, property] = path.split('/') as [string, string];
    features[feature] ??= { properties: {} };
    metadata[feature] ??= { properties: {} };
    features[feature].properties[property] = value;
    const unit = twin.units[path];
    metadata[feature].properties[property] = {
      time: new Date(timeMs).toISOString(),
      ageMs: nowMs - timeMs,
      quality,
      ...(unit === undefined ? {} : { unit }),
    };
    newestMs = Math.max(newestMs ?? timeMs, timeMs);
  }
  return {
    thingId: thingIdOf(group, twin.device),
    attributes: twin.attributes,
    features,
    _revision: twin.revision,
    _modified: new Date(twin.modifiedMs).toISOString(),
    _metadata: { features: metadata },
    online: twin.online,
    ageMs: newestMs === undefined ? null : nowMs - newestMs,
    anomalyScore: twin.reported[anomalyScoreProperty]?.value ?? null,
  };
}
