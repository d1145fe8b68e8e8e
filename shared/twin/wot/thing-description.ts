import { isoTime } from '../document/iso-time.ts';
import { type JsonObject, type JsonValue, ownValue } from '../document/json.ts';
import { readRelations } from '../document/relations.ts';
import type { Feature, Thing } from '../document/thing.ts';

/** Where a description's reader finds the API, and whether it asks for a token. */
export interface ApiPlace {
  /** `http://host:port`, without a path. */
  readonly origin: string;
  readonly needsToken: boolean;
}

const CONTEXT = 'https://www.w3.org/2022/wot/td/v1.1';
const JSON_TYPE = 'application/json';
const EVENTS = { contentType: 'text/event-stream', subprotocol: 'sse' };
const DESCRIPTION_TYPE = 'application/td+json';

/**
 * A twin as a Thing Description (W3C WoT TD 1.1). What is reported is a property to be read and
 * observed, with the type of its newest value and the unit the device announced; what is desired is
 * one to be written: writing says what is wanted, reading what is. Commands are one action with the
 * subject as a variable, since devices do not say which they know; every change is an event.
 */
export function thingDescription(thing: Thing, { origin, needsToken }: ApiPlace): JsonObject {
  const base = thingUrl(origin, thing.thingId);
  return {
    '@context': CONTEXT,
    id: `urn:diten:${thing.thingId}`,
    title: thing.thingId,
    created: isoTime(thing.createdMs),
    modified: isoTime(thing.modifiedMs),
    ...security(needsToken),
    properties: Object.fromEntries(
      Object.entries(thing.features).flatMap(([name, feature]) =>
        feature.removed === undefined ? propertiesOf(thing, { name, feature, base }) : [],
      ),
    ),
    actions: {
      command: {
        title: 'A command for the device, and its reply',
        uriVariables: {
          subject: { type: 'string', description: 'What is asked for.' },
          timeout: { type: 'string', description: 'How long to wait for the reply, as 10s.' },
        },
        synchronous: true,
        forms: [form(`${base}/inbox/messages/{subject}{?timeout}`, 'invokeaction')],
      },
    },
    events: {
      changed: {
        title: 'What becomes of the twin: for each revision a JSON merge patch',
        data: { type: 'object' },
        forms: [{ ...form(base, 'subscribeevent'), ...EVENTS }],
      },
    },
    links: [
      { rel: 'collection', href: `${origin}/.well-known/wot`, type: DESCRIPTION_TYPE },
      { rel: 'alternate', href: base, type: JSON_TYPE },
      ...readRelations(thing.attributes).map(({ type, thingId }) => ({
        rel: `urn:diten:relation:${type}`,
        href: thingUrl(origin, thingId),
        type: DESCRIPTION_TYPE,
      })),
    ],
  };
}

/** The collection of a node's things, for `/.well-known/wot` (W3C WoT Discovery, 6.2). */
export function collectionDescription(
  { group, thingIds }: { group: string; thingIds: readonly string[] },
  { origin, needsToken }: ApiPlace,
): JsonObject {
  return {
    '@context': CONTEXT,
    title: `Twins of ${group}`,
    ...security(needsToken),
    properties: {
      things: {
        title: 'The twins as the HTTP API shows them',
        type: 'array',
        items: { type: 'object' },
        readOnly: true,
        forms: [form(`${origin}/api/2/things`, 'readproperty')],
      },
    },
    links: thingIds.map((thingId) => ({
      rel: 'item',
      href: thingUrl(origin, thingId),
      type: DESCRIPTION_TYPE,
    })),
  };
}

function security(needsToken: boolean): JsonObject {
  return needsToken
    ? { securityDefinitions: { token: { scheme: 'bearer', in: 'header' } }, security: 'token' }
    : { securityDefinitions: { open: { scheme: 'nosec' } }, security: 'open' };
}

function propertiesOf(
  { units }: Thing,
  { name, feature, base }: { name: string; feature: Feature; base: string },
): [string, JsonObject][] {
  const { properties, desired } = feature;
  const names = new Set([...Object.keys(properties), ...Object.keys(desired)]);
  return [...names].flatMap((property) => {
    const reported = ownValue(properties, property)?.value;
    const wanted = ownValue(desired, property)?.value;
    const sample = reported ?? wanted;
    if (sample === undefined) return [];
    const path = `${name}/${property}`;
    const at = (kind: string) =>
      `${base}/features/${encodeURIComponent(name)}/${kind}/${encodeURIComponent(property)}`;
    const shown = at(reported === undefined ? 'desiredProperties' : 'properties');
    const unit = ownValue(units, path);
    return [
      [
        path,
        {
          ...dataSchema(sample),
          ...(unit === undefined ? {} : { unit }),
          readOnly: wanted === undefined,
          observable: true,
          forms: [
            form(shown, 'readproperty'),
            { ...form(shown, 'observeproperty'), ...EVENTS },
            ...(wanted === undefined ? [] : [form(at('desiredProperties'), 'writeproperty')]),
          ],
        },
      ],
    ];
  });
}

/** The type of a value that was seen; `null`, a missing reading, says nothing of its type. */
function dataSchema(value: JsonValue): JsonObject {
  if (value === null) return {};
  if (Array.isArray(value)) return { type: 'array' };
  return { type: typeof value };
}

function form(href: string, op: string): JsonObject {
  return { href, op, contentType: JSON_TYPE };
}

function thingUrl(origin: string, thingId: string): string {
  return `${origin}/api/2/things/${encodeURIComponent(thingId).replaceAll('%3A', ':')}`;
}
