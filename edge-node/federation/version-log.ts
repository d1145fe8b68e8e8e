import { assert } from '#shared/basics/assert.ts';
import type { RoundUpdate } from '#shared/federation/learning-round.ts';
import type { Digest } from '#shared/identity/digest.ts';
import type { Block } from '#shared/ledger/block.ts';
import type { ModelVersion } from '#shared/ledger/record.ts';
import type { Ledger } from '../ledger/ledger.ts';
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
  readonly #ledger: Ledger;
  /** The newest rounds, oldest first. */
  #rounds: RoundSummary[] = [];
  readonly #roundsKept: number;

  /** Puts the task and the version it starts with on the ledger where they are not there yet. */
  constructor(ledger: Ledger, { task, roundsKept }: { task: LearningTask; roundsKept: number }) {
    this.task = task.message.task;
    this.#ledger = ledger;
    this.#roundsKept = roundsKept;
    if (this.newest() === undefined) this.#define(task);
    else for (const summary of roundSummaries(ledger.blocks(1), this.task)) this.#keep(summary);
  }

  newest(): ModelVersion | undefined {
    return this.#ledger.latestModelVersion(this.task);
  }

  newestRounds(): readonly RoundSummary[] {
    return this.#rounds;
  }

  /** Records the version durably. Throws where the disk fails or the ledger's rules refuse it. */
  append({ round, base, modelDigest, loss, updates }: NewVersion): void {
    const body = {
      task: this.task,
      round,
      digest: modelDigest,
      parents: [base],
      contributions: updates
        .map(({ device, digest, sampleCount }) => ({ device, update: digest, sampleCount }))
        .sort((a, b) => (a.device < b.device ? -1 : 1)),
      aggregator: this.#ledger.validator,
      rule: 'fedavg',
      metrics: { loss: String(loss) },
    };
    const appended = this.#ledger.append([{ v: 1, type: 'model.version', body }]);
    if (!appended.ok) throw new Error(`the ledger refused a version: ${appended.error.message}`);
    this.#keep(roundSummary(body));
  }

  #define({ message, initialDigest }: LearningTask): void {
    const { task, definition } = message;
    const body = {
      task,
      round: 0,
      digest: initialDigest,
      parents: [],
      contributions: [],
      aggregator: this.#ledger.validator,
      rule: 'initial',
      metrics: {},
    };
    const appended = this.#ledger.append([
      { v: 1, type: 'task.define', body: { task, model: definition.model } },
      { v: 1, type: 'model.version', body },
    ]);
    assert(appended.ok, 'a task that is not on the ledger can be defined');
  }

  #keep(summary: RoundSummary): void {
    this.#rounds = [...this.#rounds, summary].slice(-this.#roundsKept);
  }
}

/** The learning rounds that blocks record, of one task or of all, in order. */
export function* roundSummaries(blocks: Iterable<Block>, task?: Digest): Generator<RoundSummary> {
  for (const { records } of blocks) {
    for (const { type, body } of records) {
      if (type !== 'model.version' || body.round === 0) continue;
      if (task === undefined || body.task === task) yield roundSummary(body);
    }
  }
}

function roundSummary(
  version: Pick<ModelVersion, 'round' | 'metrics' | 'contributions' | 'digest'>,
): RoundSummary {
  return {
    round: version.round,
    loss: Number(version.metrics.loss),
    participants: version.contributions.map(({ device }) => device),
    modelDigest: version.digest,
  };
}
