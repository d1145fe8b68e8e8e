import type { CaptureEvent, PublishEvent, WillEvent } from './capture.ts';
import { type MetricView, type PayloadView, viewPayload } from './payload-view.ts';

export const NODE_VERBS = ['NBIRTH', 'NDATA', 'NDEATH', 'NCMD'] as const;
export const DEVICE_VERBS = ['DBIRTH', 'DDATA', 'DDEATH', 'DCMD'] as const;
export type Verb = (typeof NODE_VERBS)[number] | (typeof DEVICE_VERBS)[number];

/** A publish or a will whose topic begins as one of Sparkplug's, well-formed or not. */
export interface Message {
  readonly event: PublishEvent | WillEvent;
  /** Of the event in the capture. */
  readonly index: number;
  readonly levels: readonly string[];
  /** `undefined` where the topic has none of Sparkplug's. */
  readonly verb: Verb | 'STATE' | undefined;
  /** `group/node`, where the topic has both. */
  readonly node: string | undefined;
  readonly device: string | undefined;
  /** Whose STATE it is. */
  readonly host: string | undefined;
  /** `undefined` in a STATE, and where the bytes are not protobuf. */
  readonly payload: PayloadView | undefined;
  /** `undefined` in all but a STATE. */
  readonly state: StateView | undefined;
}

/** A STATE as it stands there; a field is `undefined` where it is missing or of another type. */
export interface StateView {
  readonly online: boolean | undefined;
  readonly timestamp: number | undefined;
}

/** `undefined` for what does not concern Sparkplug. `spAv1.0` and the bare STATE are its past. */
export function readMessage(event: CaptureEvent, index: number): Message | undefined {
  if (event.kind !== 'publish' && event.kind !== 'will') return undefined;
  const levels = event.topic.split('/');
  if (!isSparkplug(levels)) return undefined;
  const verb = verbOf(levels);
  const isState = verb === 'STATE';
  return {
    event,
    index,
    levels,
    verb,
    node: isState || levels[3] === undefined ? undefined : `${levels[1]}/${levels[3]}`,
    device: isState ? undefined : levels[4],
    host: isState ? levels[2] : undefined,
    payload: isState ? undefined : viewPayload(event.payload),
    state: isState ? readState(event.payload) : undefined,
  };
}

function isSparkplug(levels: readonly string[]): boolean {
  const [namespace = ''] = levels;
  return /^sp[ab]v\d/i.test(namespace) || (namespace === 'STATE' && levels.length === 2);
}

function verbOf(levels: readonly string[]): Message['verb'] {
  if (levels[1] === 'STATE') return 'STATE';
  return [...NODE_VERBS, ...DEVICE_VERBS].find((verb) => verb === levels[2]);
}

const NOTHING: StateView = { online: undefined, timestamp: undefined };

function readState(payload: Uint8Array): StateView {
  let state: unknown;
  try {
    state = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch {
    return NOTHING;
  }
  if (typeof state !== 'object' || state === null) return NOTHING;
  const { online, timestamp } = state as { online?: unknown; timestamp?: unknown };
  return {
    online: typeof online === 'boolean' ? online : undefined,
    timestamp: typeof timestamp === 'number' ? timestamp : undefined,
  };
}

/** A device's descriptor, or its node's: whose metrics the message has. */
export function sourceOf({ node, device }: Message): string | undefined {
  return device === undefined ? node : `${node}/${device}`;
}

export function metricNamed(message: Message | undefined, name: string): MetricView | undefined {
  return message?.payload?.metrics.find((metric) => metric.name === name);
}

/** The message's bdSeq, where it has one that is a number. */
export function bdSeqOf(message: Message | undefined): bigint | undefined {
  const value = metricNamed(message, 'bdSeq')?.value;
  if (value?.kind !== 'long' && value?.kind !== 'int') return undefined;
  return value.value ?? undefined;
}

export const REBIRTH = 'Node Control/Rebirth';

/** Whether it asks the edge node for its births, by name. */
export function asksForRebirth(message: Message): boolean {
  const metric = metricNamed(message, REBIRTH);
  return message.verb === 'NCMD' && metric !== undefined;
}

/** Of an edge node, not to one. */
export function isFromEdge({ verb }: Message): boolean {
  return verb !== undefined && verb !== 'STATE' && verb !== 'NCMD' && verb !== 'DCMD';
}

export function isData({ verb }: Message): boolean {
  return verb === 'NDATA' || verb === 'DDATA';
}
