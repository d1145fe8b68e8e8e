import type { Clock } from '#runtime/clock/clock.ts';
import type { Events } from '#runtime/observe/events.ts';
import type { PeerNetwork } from '#runtime/peers/peer-network.ts';
import type { DropRule } from '#shared/twin/sample-stream.ts';
import type { EdgeConfig } from '../edge-config.ts';
import type { Learning } from '../federation/start-learning.ts';
import type { RoundSummary } from '../federation/version-log.ts';
import type { LedgerNode } from '../ledger/ledger-node.ts';
import { deviceOf } from '../twins/thing-facts.ts';
import type { TwinStore } from '../twins/twin-store.ts';
import { thingAge } from './thing.ts';

/** What the edge node answers at `/status`. */
export interface NodeStatus {
  readonly node: string;
  readonly group: string;
  readonly uptimeSeconds: number;
  readonly devices: readonly DeviceStatus[];
  readonly storage: StorageStatus;
  readonly learning: LearningStatus | null;
  readonly ledger: LedgerStatus;
  /** Messages, and what went wrong with other nodes: how often each since the start. */
  readonly peers: Readonly<Record<string, number>>;
  /** How often each kind of event occurred since the start. */
  readonly events: Readonly<Record<string, number>>;
}

/** The file of samples, things and their revisions. */
export interface StorageStatus {
  readonly fileBytes: number;
  /** Of it what holds something; the rest is used again. */
  readonly usedBytes: number;
  readonly historyBytes: number;
  /** What retention took out since the file was made. */
  readonly removedSamples: number;
  readonly removedRevisions: number;
}

export interface LedgerStatus {
  readonly height: number;
  readonly stateDigest: string;
  /** Transactions that wait for a block. */
  readonly pending: number;
  /** `observing` until a validator that may have lost its file knows what it signed. */
  readonly signing: string;
  /** What keeps it from writing, or null. */
  readonly trouble: string | null;
  readonly peers: number;
}

export interface DeviceStatus {
  readonly id: string;
  readonly online: boolean;
  /** Samples committed, over all epochs of the device's outbox. */
  readonly samples: number;
  /** Samples it gave up, by rule: its outbox was full, or its disk. Nothing where none. */
  readonly dropped: Partial<Record<DropRule, number>>;
  readonly ageMs: number | null;
  readonly anomalyScore: number | null;
}

export interface LearningStatus {
  readonly task: string;
  /** `defining` until the task is on the ledger. */
  readonly phase: 'defining' | 'gathering' | 'training' | 'aggregating';
  /** The round in progress, or the next one. */
  readonly round: number;
  /** The newest committed rounds, oldest first. */
  readonly rounds: readonly RoundSummary[];
}

export interface StatusSources {
  readonly config: EdgeConfig;
  readonly startedMs: number;
  readonly clock: Clock;
  readonly twins: TwinStore;
  readonly learning: Learning;
  readonly ledger: LedgerNode;
  readonly network: PeerNetwork;
  readonly events: Events;
}

/** The state of the node, as `/status` shows it. */
export function nodeStatus(sources: StatusSources): NodeStatus {
  const { config, startedMs, clock, twins, ledger, network, events } = sources;
  const nowMs = clock.nowMs();
  const droppedOf = twins.samples.dropped();
  return {
    node: config.id,
    group: config.group,
    uptimeSeconds: Math.floor((clock.monotonicMs() - startedMs) / 1000),
    devices: twins.all().map((thing) => {
      const device = deviceOf(thing);
      const { online } = thing.presence;
      const samples = twins.samplesOf(device);
      const dropped = droppedOf.get(device) ?? {};
      return { id: device, online, samples, dropped, ...thingAge(thing, nowMs) };
    }),
    storage: storageStatus(twins),
    learning: learningStatus(sources.learning),
    ledger: ledgerStatus(ledger),
    peers: network.counters(),
    events: events.counts(),
  };
}

function storageStatus({ retention, history }: TwinStore): StorageStatus {
  const { bytes, removed } = history.size();
  return {
    fileBytes: retention.fileBytes(),
    usedBytes: retention.usedBytes(),
    historyBytes: bytes,
    removedSamples: retention.removed(),
    removedRevisions: removed,
  };
}

function ledgerStatus(ledger: LedgerNode): LedgerStatus {
  const { head, stateDigest, pending, signing, trouble, peers } = ledger.status();
  return { height: head.height, stateDigest, pending, signing, trouble: trouble ?? null, peers };
}

function learningStatus({ coordinated }: Learning): LearningStatus | null {
  if (coordinated === null) return null;
  const { coordinator, versions } = coordinated;
  const { phase, round } = coordinator.state ?? { phase: 'defining', round: 1 };
  return { task: versions.task, phase, round, rounds: versions.newestRounds() };
}
