import type { Clock } from '#runtime/clock/clock.ts';
import type { MqttClient, MqttMessage } from '#runtime/mqtt/mqtt-client.ts';
import type { Events } from '#runtime/observe/events.ts';
import { assert, unreachable } from '#shared/basics/assert.ts';
import { fail, ok, type Result } from '#shared/basics/result.ts';
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
import { digestOf } from '#shared/identity/digest.ts';
import { modelCodec, roundCodec, taskCodec, updateCodec } from '#shared/wire/learning.ts';
import { type Channel, deviceOfTopic, everyDevice, topicOf } from '#shared/wire/topics.ts';
import type { TwinStore } from '../twins/twin-store.ts';
import type { LearningTask } from './learning-task.ts';
import type { ModelStore } from './model-store.ts';
import type { VersionLog } from './version-log.ts';

const TICK_MS = 100;

export interface CoordinatorOptions {
  readonly task: LearningTask;
  readonly rules: RoundRules;
  readonly mqtt: MqttClient;
  readonly group: string;
  readonly twins: TwinStore;
  readonly models: ModelStore;
  readonly versions: VersionLog;
  readonly clock: Clock;
  readonly events: Events;
}

/**
 * Runs the learning rounds of one task: gives out task and model, announces rounds, averages the
 * updates, and records every model version on the ledger before any device hears of it.
 */
export class Coordinator implements Disposable {
  readonly #options: CoordinatorOptions;
  #state: LearningState;
  /** Devices that were given the task and the newest model. */
  readonly #provisioned = new Set<string>();
  #modelBytes: Uint8Array;
  #cancelTick: () => void = () => undefined;

  private constructor(options: CoordinatorOptions) {
    this.#options = options;
    const { task, models, versions, clock } = options;
    const last = versions.newest();
    assert(last !== undefined, 'the version log holds at least the version a task starts with');
    const bytes = models.get(last.digest);
    // Round 0 is in no store, for the task itself has it. A later version whose bytes are gone
    // cannot be learned from any more: learning begins again, under the next round's number.
    this.#modelBytes = bytes ?? task.initialBytes;
    const base = bytes === undefined ? task.initialDigest : last.digest;
    this.#state = gatheringState(last.round + 1, base, clock.monotonicMs());
  }

  static async start(options: CoordinatorOptions): Promise<Coordinator> {
    const coordinator = new Coordinator(options);
    const { mqtt, group } = options;
    await mqtt.subscribe(everyDevice(group, 'update'), (message) => coordinator.#onUpdate(message));
    coordinator.#tick();
    return coordinator;
  }

  get state(): LearningState {
    return this.#state;
  }

  [Symbol.dispose](): void {
    this.#cancelTick();
  }

  #tick(): void {
    const { clock } = this.#options;
    const eligible = this.#eligible();
    for (const device of this.#provisioned) {
      if (!eligible.includes(device)) this.#provisioned.delete(device);
    }
    for (const device of eligible) if (!this.#provisioned.has(device)) this.#provision(device);
    this.#step({ kind: 'tick', nowMs: clock.monotonicMs(), eligible });
    this.#cancelTick = clock.after(TICK_MS, () => this.#tick());
  }

  /** Devices that are online and report every feature of the task. */
  #eligible(): string[] {
    const { twins, task } = this.#options;
    const { features } = task.message.definition;
    return twins
      .all()
      .filter(
        ({ online, reported }) => online && features.every(({ property }) => property in reported),
      )
      .map(({ device }) => device);
  }

  #provision(device: string): void {
    this.#provisioned.add(device);
    this.#send(device, 'task', taskCodec.encode(this.#options.task.message));
    this.#sendModel(device);
  }

  #sendModel(device: string): void {
    const { round, base } = this.#state;
    const message = {
      v: 1 as const,
      task: this.#options.task.message.task,
      round: round - 1,
      digest: base,
      parameters: this.#modelBytes,
    };
    this.#send(device, 'model', modelCodec.encode(message));
  }

  #send(device: string, channel: Channel, payload: Uint8Array): void {
    const { mqtt, group, events } = this.#options;
    mqtt
      .publish(topicOf(group, device, channel), payload, { qos: 1, retain: true })
      .catch((error: Error) => {
        this.#provisioned.delete(device); // and so it is sent again with the next tick
        events.record('warn', 'learning-message-not-sent', { device, reason: error.message });
      });
  }

  #onUpdate({ topic, payload }: MqttMessage): void {
    const device = deviceOfTopic(topic) ?? '';
    const update = this.#readUpdate(device, payload);
    if (update.ok) this.#step({ kind: 'update', update: update.value });
    else this.#options.events.record('warn', update.error.code, { ...update.error, device });
  }

  #readUpdate(device: string, payload: Uint8Array): Result<RoundUpdate, { code: string }> {
    const { task } = this.#options;
    const message = updateCodec.decode(payload);
    if (!message.ok) return message;
    const { round, base, sampleCount, loss, parameters } = message.value;
    if (message.value.task !== task.message.task) {
      return fail('stale-task', 'the update is for another learning task');
    }
    const tensors = decodeTensors(parameters);
    if (!tensors.ok) return tensors;
    if (!sameLayout(task.initial, tensors.value)) {
      return fail('update-mismatch', "the update's parameters are of another model");
    }
    const digest = digestOf(parameters);
    return ok({ device, round, base, sampleCount, loss, digest, parameters: tensors.value });
  }

  #step(input: LearningInput): void {
    const stepped = stepLearning(this.#options.rules, this.#state, input);
    if (!stepped.ok) {
      this.#options.events.record('info', stepped.error.code, { reason: stepped.error.message });
      return;
    }
    this.#state = stepped.value.state;
    for (const effect of stepped.value.effects) this.#perform(effect);
  }

  #perform(effect: LearningEffect): void {
    const { events, task } = this.#options;
    switch (effect.kind) {
      case 'announce': {
        const { round, base, participants } = effect;
        const bytes = roundCodec.encode({ v: 1, task: task.message.task, round, base });
        for (const device of participants) this.#send(device, 'round', bytes);
        return;
      }
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

  #aggregate({ round, base, updates }: Extract<LearningEffect, { kind: 'aggregate' }>): void {
    const { clock, models, versions, events } = this.#options;
    try {
      const averaged = federatedAverage(
        updates.map((update) => ({ ...update, contributor: update.device })),
      );
      assert(averaged.ok, 'the layout of every update was checked on arrival');
      const bytes = encodeTensors(averaged.value);
      const modelDigest = models.put(bytes);
      const loss = meanLoss(updates);
      versions.append({ round, base, modelDigest, loss, updates });
      this.#modelBytes = bytes;
      this.#step({ kind: 'committed', nowMs: clock.monotonicMs(), digest: modelDigest });
      events.record('info', 'round-committed', { round, loss, modelDigest });
    } catch (error) {
      // A full disk, say: nobody has heard of the version, the round is held again.
      events.record('error', 'aggregation-failed', { round, reason: (error as Error).message });
      this.#step({ kind: 'aggregation-failed', nowMs: clock.monotonicMs() });
      return;
    }
    for (const device of this.#provisioned) this.#sendModel(device);
  }
}

function meanLoss(updates: readonly RoundUpdate[]): number {
  const total = updates.reduce((sum, { sampleCount }) => sum + sampleCount, 0);
  return updates.reduce((sum, { loss, sampleCount }) => sum + loss * (sampleCount / total), 0);
}
