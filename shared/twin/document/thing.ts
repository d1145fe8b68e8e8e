import type { DesiredMessage } from '../../wire/control.ts';
import type { Quality } from '../sample.ts';
import { isoTime } from './iso-time.ts';
import type { JsonObject, JsonValue } from './json.ts';

/** Where in a device's reports a value came from; the device wins by generation, then sequence. */
export interface ReportSource {
  /** The outbox it was numbered by. */
  readonly epoch: string;
  /**
   * How often the host had seen the device change its epoch by then: epochs are random names, so
   * their order is the host's to keep.
   */
  readonly generation: number;
  readonly sequence: number;
}

/** One reported property: what the device said last, or what somebody put in its place. */
export interface ReportedProperty {
  /**
   * Left out once deleted: what remains keeps a report that was made before from bringing the
   * property back.
   */
  readonly value?: JsonValue;
  /** When it was measured, by the device's clock; when it was written, by the host's. */
  readonly timeMs: number;
  /** When the host had it. */
  readonly receivedMs: number;
  readonly quality: Quality;
  /** The newest report; none where no device ever reported it. */
  readonly source?: ReportSource;
  /** Who wrote it over the device; gone with the next report. */
  readonly writtenBy?: string;
}

/**
 * A device's answer to a desired value, by the convention of Azure IoT Plug and Play: the value it
 * has, `ac` a code as HTTP's, `av` the version it answers, `ad` its words.
 */
export interface Acknowledgement {
  readonly value: JsonValue;
  readonly ac: number;
  readonly av: number;
  readonly ad: string;
}

/** A desired value that another took the place of before the device had taken it. */
export interface OverwrittenValue {
  readonly value: JsonValue;
  readonly version: number;
  readonly writtenBy: string;
}

export interface DesiredProperty {
  readonly value: JsonValue;
  /** The thing's `desiredVersion` as it became with this value: the hub wins by it. */
  readonly version: number;
  readonly timeMs: number;
  readonly writtenBy: string;
  readonly overwrote?: OverwrittenValue;
  readonly acknowledged?: Acknowledgement & { readonly receivedMs: number };
}

export interface Feature {
  /** Only kept for what its properties remember; not shown. */
  readonly removed?: true;
  readonly definition?: readonly string[];
  readonly properties: Readonly<Record<string, ReportedProperty>>;
  readonly desired: Readonly<Record<string, DesiredProperty>>;
}

/**
 * The digital counterpart of one device in the shape of Eclipse Ditto's thing, as plain data that
 * survives as JSON. Versions, times and origins are kept per property (`feature/property`); what is
 * inside a property's value shares them.
 */
export interface Thing {
  /** `namespace:name`. */
  readonly thingId: string;
  /** Not before the first input, and no more once deleted: then only what must be remembered is. */
  readonly exists: boolean;
  /** Goes up by one with every change, also over deletion and return. */
  readonly revision: number;
  readonly createdMs: number;
  readonly modifiedMs: number;
  readonly definition?: string;
  readonly attributes: JsonObject;
  readonly features: Readonly<Record<string, Feature>>;
  readonly presence: { readonly online: boolean; readonly sinceMs: number };
  /** UCUM units by `feature/property`, as the device announced them. */
  readonly units: Readonly<Record<string, string>>;
  /** The counter that desired versions are of: 16 hex digits that no other counter has. */
  readonly desiredEpoch: string;
  /** Goes up by one with every change of what is desired. */
  readonly desiredVersion: number;
}

/** The thing before anything was said of it. */
export function newThing(thingId: string, desiredEpoch: string): Thing {
  return {
    thingId,
    exists: false,
    revision: 0,
    createdMs: 0,
    modifiedMs: 0,
    attributes: {},
    features: {},
    presence: { online: false, sinceMs: 0 },
    units: {},
    desiredEpoch,
    desiredVersion: 0,
  };
}

/** What can be edited: Ditto's thing with `definition`, `attributes` and `features`. */
export function thingContent(thing: Thing): JsonObject {
  return {
    thingId: thing.thingId,
    ...(thing.definition === undefined ? {} : { definition: thing.definition }),
    attributes: thing.attributes,
    features: Object.fromEntries(
      Object.entries(thing.features)
        .filter(([, feature]) => feature.removed === undefined)
        .map(([name, feature]) => [name, featureContent(feature)]),
    ),
  };
}

/** As {@link thingContent}, with what Ditto adds to it and whether the device is there. */
export function thingDocument(thing: Thing): JsonObject {
  return {
    ...thingContent(thing),
    _revision: thing.revision,
    _created: isoTime(thing.createdMs),
    _modified: isoTime(thing.modifiedMs),
    online: thing.presence.online,
  };
}

/** Everything desired of a thing, as its device is told it. */
export function desiredMessage(thing: Thing): DesiredMessage {
  const properties = desiredEntries(thing).map(({ path, desired }) => ({
    path,
    version: desired.version,
    value: desired.value,
  }));
  return { v: 1, epoch: thing.desiredEpoch, version: thing.desiredVersion, properties };
}

export interface DesiredEntry {
  /** `feature/property`. */
  readonly path: string;
  readonly desired: DesiredProperty;
  readonly reported: ReportedProperty | undefined;
}

/** Every desired property beside what is reported of it. */
export function desiredEntries(thing: Thing): DesiredEntry[] {
  return Object.entries(thing.features).flatMap(([feature, { desired, properties }]) =>
    Object.entries(desired).map(([property, each]) => ({
      path: `${feature}/${property}`,
      desired: each,
      reported: Object.hasOwn(properties, property) ? properties[property] : undefined,
    })),
  );
}

/** Whether the device is still at it: neither done nor refused. */
export function isInProgress({ ac }: Acknowledgement): boolean {
  return ac < 200 || ac === 202;
}

/** Feature and property of `feature/property`. */
export function splitPath(path: string): { feature: string; property: string } {
  const slash = path.indexOf('/');
  return { feature: path.slice(0, slash), property: path.slice(slash + 1) };
}

function featureContent({ definition, properties, desired }: Feature): JsonObject {
  const reported = Object.entries(properties).flatMap(([name, { value }]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  const wanted = Object.entries(desired).map(([name, { value }]) => [name, value] as const);
  return {
    ...(definition === undefined ? {} : { definition }),
    ...(reported.length === 0 ? {} : { properties: Object.fromEntries(reported) }),
    ...(wanted.length === 0 ? {} : { desiredProperties: Object.fromEntries(wanted) }),
  };
}
