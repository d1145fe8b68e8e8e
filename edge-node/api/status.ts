import type { Clock } from '#runtime/clock/clock.ts';
import type { Events } from '#runtime/observe/events.ts';
import type { EdgeConfig } from '../edge-config.ts';
import type { Coordinator } from '../federation/coordinator.ts';
import type { RoundSummary, VersionLog } from '../federation/version-log.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { TwinStore } from '../twins/twin-store.ts';
import { twinToThing } from './thing.ts';

/** What the edge node answers at `/status`. */
export interface NodeStatus {
  readonly node: string;
  readonly group: string;
  readonly uptimeSeconds: number;
  readonly devices: readonly DeviceStatus[];
  readonly learning: LearningStatus | null;
  readonly ledger: { readonly height: number };
  /** How often each kind of event occurred since the start. */
  readonly events: Readonly<Record<string, number>>;
}

export interface DeviceStatus {
  readonly id: string;
  readonly online: boolean;
  /** Samples committed, over all epochs of the device's outbox. */
  readonly samples: number;
  readonly ageMs: number | null;
  readonly anomalyScore: number | null;
}

export interface LearningStatus {
  readonly task: string;
  readonly phase: 'gathering' | 'training' | 'aggregating';
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
  readonly coordinator: Coordinator | undefined;
  readonly versions: VersionLog | undefined;
  readonly ledger: Ledger;
  readonly events: Events;
}

/** The state of the node, as `/status` shows it. */
export function nodeStatus(sources: StatusSources): NodeStatus {
  const { config, startedMs, clock, twins, ledger, events } = sources;
  const nowMs = clock.nowMs();
  return {
    node: config.id,
    group: config.group,
    uptimeSeconds: Math.floor((clock.monotonicMs() - startedMs) / 1000),
    devices: twins.all().map((twin) => {
      const { ageMs, anomalyScore } = twinToThing(twin, config.group, nowMs);
      return {
        id: twin.device,
        online: twin.online,
        samples: twins.samplesOf(twin.device),
        ageMs,
        anomalyScore,
      };
    }),
    learning: learningStatus(sources),
    ledger: { height: ledger.head.height },
    events: events.counts(),
  };
}

function learningStatus({ coordinator, versions }: StatusSources): LearningStatus | null {
  if (coordinator === undefined || versions === undefined) return null;
  const { phase, round } = coordinator.state;
  return { task: versions.task, phase, round, rounds: versions.newestRounds() };
}
