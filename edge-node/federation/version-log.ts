import type { RoundUpdate } from '#shared/federation/learning-round.ts';
import type { Digest } from '#shared/identity/digest.ts';
import type { ModelVersion } from '#shared/ledger/contract/models.ts';
import {
  currentTask,
  type LearningLedger,
  newestVersion,
  record,
  versionsOf,
} from './learning-ledger.ts';
import type { LearningTask } from './learning-task.ts';

/** A committed learning round, as the ledger has it. */
export interface RoundSummary {
  readonly round: number;
  /** Mean training loss of the participants' local steps, weighted by windows. */
  readonly loss: number;
  readonly participants: readonly string[];
  readonly modelDigest: string;
}

export interface NewVersion {
  readonly round: number;
  readonly base: Digest;
  readonly modelDigest: Digest;
  /** Mean training loss of the updates. */
  readonly loss: number;
  readonly updates: readonly RoundUpdate[];
}

/** One learning task's model versions on the ledger; the ledger is all it keeps. */
export class VersionLog {
  readonly task: Digest;
  readonly #ledger: LearningLedger;
  readonly #roundsKept: number;

  constructor(ledger: LearningLedger, { task, roundsKept }: { task: Digest; roundsKept: number }) {
    this.task = task;
    this.#ledger = ledger;
    this.#roundsKept = roundsKept;
  }

  newest(): ModelVersion | undefined {
    return newestVersion(this.#ledger.state, this.task);
  }

  /** Oldest first. */
  newestRounds(): readonly RoundSummary[] {
    const rounds: RoundSummary[] = [];
    for (const version of versionsOf(this.#ledger.state, this.task)) {
      if (version.round === 0 || rounds.length === this.#roundsKept) break;
      rounds.push(roundSummary(version));
    }
    return rounds.reverse();
  }

  /** Makes this the task of all, with the version it starts from; does what is still to be done. */
  async define({ message, initialDigest }: LearningTask): Promise<void> {
    const ledger = this.#ledger;
    const { task, definition } = message;
    if (currentTask(ledger.state) !== task) {
      await record(ledger, { type: 'task.define', body: { task, model: definition.model } });
    }
    if (this.newest() !== undefined) return;
    await record(ledger, {
      type: 'model.version',
      body: {
        task,
        round: 0,
        digest: initialDigest,
        parents: [],
        contributions: [],
        aggregator: ledger.node.keyId,
        rule: 'initial',
        metrics: {},
      },
    });
  }

  /** Resolves once the version is on the ledger; rejects where it does not come there. */
  async append({ round, base, modelDigest, loss, updates }: NewVersion): Promise<void> {
    await record(this.#ledger, {
      type: 'model.version',
      body: {
        task: this.task,
        round,
        digest: modelDigest,
        parents: [base],
        contributions: updates
          .map(({ device, digest, sampleCount }) => ({ device, update: digest, sampleCount }))
          .sort((a, b) => (a.device < b.device ? -1 : 1)),
        aggregator: this.#ledger.node.keyId,
        rule: 'fedavg',
        metrics: { loss: String(loss) },
      },
    });
  }
}

/** What a version of a round beyond 0 says of its round. */
export function roundSummary(
  version: Pick<ModelVersion, 'round' | 'metrics' | 'contributions' | 'digest'>,
): RoundSummary {
  return {
    round: version.round,
    loss: Number(version.metrics.loss),
    participants: version.contributions.map(({ device }) => device),
    modelDigest: version.digest,
  };
}
