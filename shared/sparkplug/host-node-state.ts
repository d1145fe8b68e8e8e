import type { Failure } from '../basics/result.ts';
import type { Aliases, BornMetrics, ReportedValue } from './host-birth.ts';
import type { Payload } from './metric.ts';
import type { Instant, Publication } from './publication.ts';
import type { DeviceVerb, NodeAddress, NodeVerb } from './topic.ts';

export interface HostNodeOptions {
  /** How long a message that is out of order waits for those before it. */
  readonly reorderTimeoutMs: number;
  /** From one request for births to the next; doubles with each that is not answered. */
  readonly rebirthIntervalMs: number;
  /** Requests in a row that go out of themselves; then it takes a message of the edge node. */
  readonly rebirthTriesMax: number;
  readonly devicesMax: number;
  /** Of the edge node and all its devices. */
  readonly metricsMax: number;
  readonly bufferMessagesMax: number;
  readonly bufferBytesMax: number;
}

export const defaultHostNodeOptions: HostNodeOptions = {
  reorderTimeoutMs: 2000,
  rebirthIntervalMs: 1000,
  rebirthTriesMax: 8,
  devicesMax: 1000,
  metricsMax: 10_000,
  bufferMessagesMax: 128,
  bufferBytesMax: 1024 * 1024,
};

/** A message of an edge node as it came, decoded. */
export interface NodeMessage {
  readonly verb: Exclude<NodeVerb | DeviceVerb, 'NCMD' | 'DCMD'>;
  readonly device?: string;
  readonly payload: Payload;
  readonly sizeBytes: number;
}

export interface HostDevice {
  readonly isUp: boolean;
  readonly metrics: BornMetrics;
}

/**
 * `unborn`: its births are needed, what it sends counts for nothing until then. `online`: all that
 * was sent since the births is known. `dead`: it said farewell, or its broker did. `refused`: it
 * asks for more memory than there is for one edge node.
 */
export type HostNodePhase = 'unborn' | 'online' | 'dead' | 'refused';

/** What a host application knows of one edge node; plain data. */
export interface HostNode {
  readonly address: NodeAddress;
  readonly options: HostNodeOptions;
  readonly phase: HostNodePhase;
  readonly bdSeq: number | undefined;
  /** Of the newest death since the last birth. */
  readonly deadBdSeq: number | undefined;
  /** The sender's time of the newest NBIRTH that came. */
  readonly birthSentMs: number;
  /** Of the next message. */
  readonly seq: number;
  /** Messages that wait for those before them. */
  readonly buffer: readonly NodeMessage[];
  /** Monotonic time until which what is missing has to come. */
  readonly gapEndsMs: number | undefined;
  readonly request: RebirthRequests;
  readonly metrics: BornMetrics;
  readonly devices: ReadonlyMap<string, HostDevice>;
  readonly aliases: Aliases;
}

export interface RebirthRequests {
  readonly isWanted: boolean;
  readonly tries: number;
  /** Monotonic time before which no other goes out. */
  readonly notBeforeMs: number;
}

export type HostNodeInput = { readonly at: Instant } & (
  | { readonly kind: 'message'; readonly message: NodeMessage }
  /** A message that could not be decoded. */
  | { readonly kind: 'malformed'; readonly failure: Failure }
  /** The host's own link. */
  | { readonly kind: 'link-down' }
  | { readonly kind: 'link-up' }
  | { readonly kind: 'tick' }
);

export type HostNodeEffect =
  /** All values of the edge node are these, and all devices are stale until born themselves. */
  | {
      readonly kind: 'node-born';
      readonly bdSeq: number;
      readonly atMs: number;
      readonly values: readonly ReportedValue[];
    }
  | {
      readonly kind: 'device-born';
      readonly device: string;
      readonly atMs: number;
      readonly values: readonly ReportedValue[];
    }
  | {
      readonly kind: 'values';
      readonly device: string | undefined;
      readonly values: readonly ReportedValue[];
    }
  /** Offline by the host's clock: the edge node and its devices, all their values stale. */
  | { readonly kind: 'node-died'; readonly atMs: number }
  /** Offline by the edge node's clock, all its values stale. */
  | { readonly kind: 'device-died'; readonly device: string; readonly atMs: number }
  /** Stale, whether the edge node is offline or not: messages are missing. */
  | { readonly kind: 'node-lost'; readonly atMs: number }
  | { readonly kind: 'publish'; readonly message: Publication }
  /** A tick is wanted at that monotonic time. */
  | { readonly kind: 'wake'; readonly atMs: number }
  | { readonly kind: 'refused'; readonly failure: Failure };

export interface HostNodeStep {
  readonly node: HostNode;
  readonly effects: readonly HostNodeEffect[];
}

export function createHostNode(address: NodeAddress, options: HostNodeOptions): HostNode {
  return {
    address,
    options,
    phase: 'unborn',
    bdSeq: undefined,
    deadBdSeq: undefined,
    birthSentMs: 0,
    seq: 0,
    buffer: [],
    gapEndsMs: undefined,
    request: { isWanted: false, tries: 0, notBeforeMs: Number.NEGATIVE_INFINITY },
    metrics: new Map(),
    devices: new Map(),
    aliases: new Map(),
  };
}
