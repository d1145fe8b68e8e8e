import type { Clock } from '#runtime/clock/clock.ts';
import type { Events } from '#runtime/observe/events.ts';
import { assert, unreachable } from '#shared/basics/assert.ts';
import { encodeCanonical } from '#shared/codec/canonical.ts';
import { decodeTensors, encodeTensors } from '#shared/codec/tensor.ts';
import { federatedAverage, sameLayout } from '#shared/federation/fed-avg.ts';
import {
  gatheringState,
  type LearningEffect,
  type LearningInput,
  type LearningState,
  type RoundRules,
  type RoundUpdate,
  stepLearning,
} from '#shared/federation/learning-round.ts';
import type { Digest } from '#shared/identity/digest.ts';
import { readState } from '#shared/ledger/contract/state.ts';
import type { PayloadStore } from '../ledger/payloads/payload-store.ts';
import type { LearningHost } from './learning-host.ts';
import {
  acceptedOf,
  type LearningLedger,
  type ModelUpdate,
  versionsOf,
} from './learning-ledger.ts';
import type { LearningPeers } from './learning-peers.ts';
import type { LearningTask } from './learning-task.ts';
import type { VersionLog } from './version-log.ts';

const TICK_MS = 100;
const RETRY_MS = 1000;
/** How often the bytes of the newest version are looked for before an older one has to do. */
const BASE_ATTEMPTS = 3;

export interface CoordinatorOptions {
  readonly task: LearningTask;
  readonly rules: RoundRules;
  readonly ledger: LearningLedger;
  readonly payloads: PayloadStore;
  readonly versions: VersionLog;
  readonly host: LearningHost;
  readonly peers: LearningPeers;
  readonly clock: Clock;
  readonly events: Events;
}

/**
 * Runs the learning rounds of one task over the devices of all edge nodes: defines it on the
 * ledger, announces rounds, averages the updates that the ledger records, and records every model
 * version before any device hears of it.
 */
export class Coordinator implements Disposable {
  readonly #options: CoordinatorOptions;
  /** Undefined until the task is on the ledger. */
  #state: LearningState | undefined;
  #cancelTick: () => void = () => undefined;
  #isDisposed = false;
  #attempts = 0;

  private constructor(options: CoordinatorOptions) {
    this.#options = options;
  }

  /** The ledger may have no quorum yet: what needs it is done once it has. */
  static start(options: CoordinatorOptions): Coordinator {
    const coordinator = new Coordinator(options);
    coordinator.#begin();
    return coordinator;
  }

  get state(): LearningState | undefined {
    return this.#state;
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#cancelTick();
  }

  #begin(): void {
    const { clock, events } = this.#options;
    this.#define().catch((error: Error) => {
      if (this.#isDisposed) return;
      events.record('warn', 'task-not-defined', { reason: error.message });
      this.#cancelTick = clock.after(RETRY_MS, () => this.#begin());
    });
  }

  async #define(): Promise<void> {
    const { task, versions, ledger, clock } = this.#options;
    const { definition, model } = task.message;
    for (const bytes of [encodeCanonical(definition), model, task.initialBytes]) this.#put(bytes);
    await versions.define(task);
    if (this.#isDisposed) return;
    const last = versions.newest();
    assert(last !== undefined, 'a task that is defined has the version it starts with');
    const base = await this.#findBase();
    if (this.#isDisposed) return;
    this.#state = gatheringState(last.round + 1, base, clock.monotonicMs());
    ledger.onCommit((committed) => {
      for (const { type, body } of acceptedOf(committed)) {
        if (type === 'model.update') this.#take(body);
      }
    });
    this.#tick();
  }

  /**
   * The newest version whose bytes there are. Those of version 0 are always here: where all later
   * ones are lost, learning begins again, under the next round's number.
   */
  async #findBase(): Promise<Digest> {
    const { payloads, ledger, versions, task } = this.#options;
    this.#attempts++;
    for (const { digest } of versionsOf(ledger.state, versions.task)) {
      const fetched = await payloads.fetch(digest);
      if (fetched.ok) return digest;
      // A peer that has it may not be connected yet.
      if (this.#attempts < BASE_ATTEMPTS) throw new Error(fetched.error.message);
    }
    return task.initialDigest;
  }

  #tick(): void {
    const { clock, host, peers, versions } = this.#options;
    const ours = host.eligible(versions.task);
    const eligible = [...new Set([...ours, ...peers.eligible()])];
    this.#step({ kind: 'tick', nowMs: clock.monotonicMs(), eligible });
    this.#cancelTick = clock.after(TICK_MS, () => this.#tick());
  }

  /** Takes in an update that the ledger has, once its bytes are here. */
  #take(body: ModelUpdate): void {
    if (this.#isDisposed || body.task !== this.#options.versions.task) return;
    this.#read(body)
      .then((update) => this.#step({ kind: 'update', update }))
      .catch((error: Error) => {
        const { device } = body;
        this.#options.events.record('warn', 'update-not-read', { device, reason: error.message });
      });
  }

  async #read(body: Omit<ModelUpdate, 'task'>): Promise<RoundUpdate> {
    const { payloads, task } = this.#options;
    const { device, round, base, sampleCount, update: digest } = body;
    const fetched = await payloads.fetch(digest);
    if (!fetched.ok) throw new Error(`${fetched.error.code}: ${fetched.error.message}`);
    const tensors = decodeTensors(fetched.value);
    if (!tensors.ok) throw new Error(tensors.error.message);
    if (!sameLayout(task.initial, tensors.value)) {
      throw new Error("the update's parameters are of another model");
    }
    const loss = Number(body.loss);
    return { device, round, base, sampleCount, loss, digest, parameters: tensors.value };
  }

  #step(input: LearningInput): void {
    if (this.#isDisposed || this.#state === undefined) return;
    const stepped = stepLearning(this.#options.rules, this.#state, input);
    if (!stepped.ok) {
      this.#options.events.record('info', stepped.error.code, { reason: stepped.error.message });
      return;
    }
    this.#state = stepped.value.state;
    for (const effect of stepped.value.effects) this.#perform(effect);
  }

  #perform(effect: LearningEffect): void {
    const { events } = this.#options;
    switch (effect.kind) {
      case 'announce':
        this.#announce(effect);
        return;
      case 'aggregate':
        this.#aggregate(effect);
        return;
      case 'abandon':
        events.record('warn', 'round-abandoned', { round: effect.round, got: effect.received });
        return;
      default:
        unreachable(effect);
    }
  }

  #announce({ round, base, participants }: Extract<LearningEffect, { kind: 'announce' }>): void {
    const { host, peers, ledger, versions } = this.#options;
    const { task } = versions;
    const announcement = { task, round, base, participants: [...participants] };
    host.announce(announcement);
    peers.announce(announcement);
    // After a restart, or a round that had to be held again, the ledger has some of the answers.
    for (const device of participants) {
      const known = readState(ledger.state, 'update', `${task}/${round}/${device}`);
      if (known !== undefined) this.#take({ ...known, task, round, device });
    }
  }

  #aggregate(effect: Extract<LearningEffect, { kind: 'aggregate' }>): void {
    const { clock, events } = this.#options;
    const { round } = effect;
    this.#commit(effect)
      .then(({ modelDigest, loss }) => {
        this.#step({ kind: 'committed', nowMs: clock.monotonicMs(), digest: modelDigest });
        events.record('info', 'round-committed', { round, loss, modelDigest });
      })
      .catch((error: Error) => {
        if (this.#isDisposed) return;
        // A full disk, say, or no quorum: nobody has heard of the version, the round is held again.
        events.record('error', 'aggregation-failed', { round, reason: error.message });
        this.#step({ kind: 'aggregation-failed', nowMs: clock.monotonicMs() });
      });
  }

  async #commit({ round, base, updates }: Extract<LearningEffect, { kind: 'aggregate' }>) {
    const averaged = federatedAverage(
      updates.map((update) => ({ ...update, contributor: update.device })),
    );
    assert(averaged.ok, 'the layout of every update was checked on arrival');
    const modelDigest = this.#put(encodeTensors(averaged.value));
    const loss = meanLoss(updates);
    await this.#options.versions.append({ round, base, modelDigest, loss, updates });
    return { modelDigest, loss };
  }

  #put(bytes: Uint8Array) {
    const put = this.#options.payloads.put(bytes);
    if (!put.ok) throw new Error(`${put.error.code}: ${put.error.message}`);
    return put.value;
  }
}

function meanLoss(updates: readonly RoundUpdate[]): number {
  const total = updates.reduce((sum, { sampleCount }) => sum + sampleCount, 0);
  return updates.reduce((sum, { loss, sampleCount }) => sum + loss * (sampleCount / total), 0);
}
