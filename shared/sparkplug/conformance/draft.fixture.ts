import type { Capture, CaptureEvent } from './capture.ts';

/** A message as its fields' names and values; the wire type follows the value, right or wrong. */
export interface DraftMessage {
  [field: string]: DraftValue;
}

type DraftValue =
  | undefined
  | bigint
  | number
  | boolean
  | string
  | Uint8Array
  | Fixed
  | DraftMessage
  | readonly DraftValue[];

/** Bytes of a float or double. */
class Fixed {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

export function double(value: number): DraftValue {
  return new Fixed(new Uint8Array(new Float64Array([value]).buffer));
}

interface Shape {
  readonly [field: string]: number | readonly [number, () => Shape];
}

const scalars = { int: 0, long: 1, float: 2, double: 3, boolean: 4, string: 5 };
const from = (first: number) =>
  Object.fromEntries(Object.entries(scalars).map(([kind, i]) => [kind, first + i]));

const PROPERTY: Shape = {
  ...from(3),
  ...{ type: 1, is_null: 2, extension: 11 },
  propertyset: [9, () => PROPERTIES],
};
const PROPERTIES: Shape = { keys: 1, values: [2, () => PROPERTY] };
const CELL: Shape = { ...from(1), extension: 7 };
const ROW: Shape = { elements: [1, () => CELL] };
const DATASET: Shape = { num_of_columns: 1, columns: 2, types: 3, rows: [4, () => ROW] };
const PARAMETER: Shape = { ...from(3), name: 1, type: 2, extension: 9 };
const TEMPLATE: Shape = {
  ...{ version: 1, template_ref: 4, is_definition: 5 },
  metrics: [2, () => METRIC],
  parameters: [3, () => PARAMETER],
};
const METRIC: Shape = {
  ...from(10),
  ...{ name: 1, alias: 2, timestamp: 3, datatype: 4, is_historical: 5, is_null: 7, bytes: 16 },
  properties: [9, () => PROPERTIES],
  dataset: [17, () => DATASET],
  template: [18, () => TEMPLATE],
};
const PAYLOAD: Shape = { timestamp: 1, metrics: [2, () => METRIC], seq: 3 };

export function encodeDraft(message: DraftMessage): Uint8Array {
  return Uint8Array.from(encodeFields(message, PAYLOAD));
}

function encodeFields(message: DraftMessage, shape: Shape): number[] {
  return Object.entries(message).flatMap(([name, value]) => {
    const place = shape[name];
    if (place === undefined) throw new Error(`there is no field ${name}`);
    const [number, nested] = typeof place === 'number' ? [place] : place;
    const values = Array.isArray(value) ? value : [value];
    return values.flatMap((one) => encodeField(number, one, nested?.() ?? {}));
  });
}

function encodeField(number: number, value: DraftValue, nested: Shape): number[] {
  const key = (wire: number) => varint(BigInt(number * 8 + wire));
  const sized = (bytes: Iterable<number>) => {
    const content = [...bytes];
    return [...key(2), ...varint(BigInt(content.length)), ...content];
  };
  if (value === undefined) return [];
  if (typeof value === 'string') return sized(new TextEncoder().encode(value));
  if (value instanceof Uint8Array) return sized(value);
  if (value instanceof Fixed) return [...key(value.bytes.length === 4 ? 5 : 1), ...value.bytes];
  if (typeof value === 'object') return sized(encodeFields(value as DraftMessage, nested));
  return [...key(0), ...varint(BigInt(value))];
}

function varint(value: bigint): number[] {
  const low = Number(value & 0x7fn);
  return value < 0x80n ? [low] : [low | 0x80, ...varint(value >> 7n)];
}

/** An event whose payload is not bytes yet; found by its tag. */
export interface DraftEvent {
  tag: string;
  kind: CaptureEvent['kind'];
  at: number;
  client?: string;
  topic?: string;
  qos?: number;
  retain?: boolean | undefined;
  kept?: boolean;
  /** A message, the text of a STATE, or bytes. */
  payload?: DraftMessage | string | Uint8Array;
  protocol?: 4 | 5;
  clean?: boolean;
  sessionExpirySeconds?: number;
  reason?: number;
}

/** A capture that can still be changed: how the tests break what they guard. */
export class DraftCapture {
  readonly events: DraftEvent[];

  constructor(events: readonly DraftEvent[]) {
    this.events = copyOf([...events]);
  }

  find(tag: string): DraftEvent {
    const found = this.events.find((event) => event.tag === tag);
    if (found === undefined) throw new Error(`nothing is tagged ${tag}`);
    return found;
  }

  /** Puts a value where the path leads within the event; `undefined` takes it out. */
  set(tag: string, path: string, value: unknown): void {
    const steps = path.split('.');
    const last = steps.pop()!;
    let place = this.find(tag) as unknown as Record<string, unknown>;
    for (const step of steps) place = place[step] as Record<string, unknown>;
    if (value === undefined && Array.isArray(place)) place.splice(Number(last), 1);
    else if (value === undefined) delete place[last];
    else place[last] = value;
  }

  /** Adds to the list where the path leads. */
  add(tag: string, path: string, value: unknown): void {
    let place = this.find(tag) as unknown as Record<string, unknown>;
    for (const step of path.split('.')) place = place[step] as Record<string, unknown>;
    (place as unknown as unknown[]).push(value);
  }

  remove(...tags: readonly string[]): void {
    for (const tag of tags) this.events.splice(this.events.indexOf(this.find(tag)), 1);
  }

  insertAfter(tag: string, ...events: readonly DraftEvent[]): void {
    this.events.splice(this.events.indexOf(this.find(tag)) + 1, 0, ...events);
  }

  moveBefore(tag: string, other: string): void {
    const event = this.find(tag);
    this.remove(tag);
    this.events.splice(this.events.indexOf(this.find(other)), 0, event);
  }

  /** A copy of an event under another tag, its fields changed. */
  copy(tag: string, changes: Partial<DraftEvent>): DraftEvent {
    return { ...copyOf([this.find(tag)])[0]!, tag: `${tag} again`, ...changes };
  }

  seal(): Capture {
    return this.events.map(({ tag: _, payload, ...event }) => {
      if (payload === undefined) return event as unknown as CaptureEvent;
      return { ...event, payload: bytesOf(payload) } as unknown as CaptureEvent;
    });
  }
}

/** Unlike `structuredClone`, keeps what is of a class. */
function copyOf<T>(value: T): T {
  if (Array.isArray(value)) return value.map(copyOf) as T;
  const isPlain = typeof value === 'object' && value !== null && !(value instanceof Uint8Array);
  if (!isPlain || value instanceof Fixed) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, copyOf(inner)])) as T;
}

function bytesOf(payload: DraftMessage | string | Uint8Array): Uint8Array {
  if (payload instanceof Uint8Array) return payload;
  return typeof payload === 'string' ? new TextEncoder().encode(payload) : encodeDraft(payload);
}
