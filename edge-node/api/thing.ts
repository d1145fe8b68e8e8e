import { isoTime } from '#shared/twin/document/iso-time.ts';
import type { JsonObject, JsonValue } from '#shared/twin/document/json.ts';
import {
  type DesiredProperty,
  type Feature,
  type ReportedProperty,
  type Thing,
  thingDocument,
} from '#shared/twin/document/thing.ts';
import { anomalyScoreProperty } from '#shared/twin/sample.ts';
import type { DropRule } from '#shared/twin/sample-stream.ts';
import type { Presence } from '../sparkplug/node-table.ts';
import { newestSampleMs, reportedOf } from '../twins/thing-facts.ts';

const documents = new WeakMap<Thing, JsonObject>();

/** A thing's document as queries see it; made once for each revision. */
export function cachedDocument(thing: Thing): JsonObject {
  const known = documents.get(thing);
  if (known !== undefined) return known;
  const document = thingDocument(thing);
  documents.set(thing, document);
  return document;
}

const lists = new WeakMap<readonly Thing[], readonly JsonObject[]>();

/** The documents of things; made once for a list. */
export function cachedDocuments(things: readonly Thing[]): readonly JsonObject[] {
  const known = lists.get(things);
  if (known !== undefined) return known;
  const documents = things.map(cachedDocument);
  lists.set(things, documents);
  return documents;
}

/** What of a thing goes by the time of asking. */
export interface ThingAge {
  /** Milliseconds since the newest sample was measured; `null` before the first. */
  readonly ageMs: number | null;
  /** How far the newest forecast was off, in units of normal change; `null` without a model. */
  readonly anomalyScore: number | null;
}

export function thingAge(thing: Thing, nowMs: number): ThingAge {
  const newestMs = newestSampleMs(thing);
  const score = reportedOf(thing, anomalyScoreProperty)?.value;
  return {
    ageMs: newestMs === undefined ? null : nowMs - newestMs,
    anomalyScore: typeof score === 'number' ? score : null,
  };
}

/** What is known of a device beside its thing. */
export interface BesideThing {
  readonly live?: Presence | undefined;
  readonly dropped?: Partial<Record<DropRule, number>> | undefined;
}

/**
 * The thing as the HTTP API shows it: Ditto's, with what is known of each property under
 * `_metadata` (of one that is reported when it was measured, how long ago, in what unit and how
 * good; of one that is desired its version, by whom, and the device's answer; whether the device is
 * seen live; how many samples it gave up, by rule), age and anomaly score.
 */
export function shownThing(
  thing: Thing,
  nowMs: number,
  { live, dropped = {} }: BesideThing = {},
): JsonObject {
  return {
    ...cachedDocument(thing),
    _metadata: {
      features: featuresMetadata(thing, nowMs),
      ...(live === undefined ? {} : { sparkplug: presenceMetadata(live) }),
      ...(Object.keys(dropped).length === 0 ? {} : { dropped }),
    },
    ...thingAge(thing, nowMs),
  };
}

function presenceMetadata({ state, sinceMs, dead }: Presence): JsonObject {
  const features = dead.map(({ feature, sinceMs: each }) => [
    feature,
    { state: 'dead', since: isoTime(each) },
  ]);
  return {
    ...{ state, since: isoTime(sinceMs) },
    ...(features.length === 0 ? {} : { features: Object.fromEntries(features) }),
  };
}

function featuresMetadata({ features, units }: Thing, nowMs: number): JsonObject {
  return Object.fromEntries(
    Object.entries(features).flatMap(([name, feature]) => {
      const { removed, properties, desired } = feature as Feature;
      if (removed === true) return [];
      const unitOf = (property: string) => units[`${name}/${property}`];
      const reported = Object.entries(properties).flatMap(([property, each]) =>
        each.value === undefined
          ? []
          : [[property, reportedMetadata(each, unitOf(property), nowMs)] as const],
      );
      const wanted = Object.entries(desired).map(
        ([property, each]) => [property, desiredMetadata(each)] as const,
      );
      const metadata: JsonObject = {
        ...(reported.length === 0 ? {} : { properties: Object.fromEntries(reported) }),
        ...(wanted.length === 0 ? {} : { desiredProperties: Object.fromEntries(wanted) }),
      };
      return [[name, metadata] as const];
    }),
  );
}

function reportedMetadata(
  { timeMs, quality, writtenBy }: ReportedProperty,
  unit: string | undefined,
  nowMs: number,
): JsonValue {
  return {
    time: isoTime(timeMs),
    ageMs: nowMs - timeMs,
    quality,
    ...(unit === undefined ? {} : { unit }),
    ...(writtenBy === undefined ? {} : { writtenBy }),
  };
}

function desiredMetadata({ version, timeMs, writtenBy, acknowledged }: DesiredProperty): JsonValue {
  const metadata = { version, time: isoTime(timeMs), writtenBy };
  if (acknowledged === undefined) return metadata;
  const { value, ac, av, ad, receivedMs } = acknowledged;
  return { ...metadata, acknowledged: { value, ac, av, ad, time: isoTime(receivedMs) } };
}
