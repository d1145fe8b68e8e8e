import type { Clock } from '#runtime/clock/clock.ts';
import type { MqttClient, MqttMessage } from '#runtime/mqtt/mqtt-client.ts';
import type { Events } from '#runtime/observe/events.ts';
import { decodeCanonical } from '#shared/codec/canonical.ts';
import { decodeTensors, type NamedTensor } from '#shared/codec/tensor.ts';
import { sameLayout } from '#shared/federation/fed-avg.ts';
import type { Digest } from '#shared/identity/digest.ts';
import { readState } from '#shared/ledger/contract/state.ts';
import type { RoundAnnouncement } from '#shared/wire/federation.ts';
import {
  modelCodec,
  roundCodec,
  type TaskDefinition,
  type TaskMessage,
  taskCodec,
  taskDefinitionSchema,
  type UpdateMessage,
  updateCodec,
} from '#shared/wire/learning.ts';
import { type Channel, deviceOfTopic, everyDevice, topicOf } from '#shared/wire/topics.ts';
import type { PayloadStore } from '../ledger/payloads/payload-store.ts';
import { deviceOf, reportedOf } from '../twins/thing-facts.ts';
import type { TwinPlacement } from '../twins/twin-placement.ts';
import type { TwinStore } from '../twins/twin-store.ts';
import {
  acceptedOf,
  currentTask,
  type LearningLedger,
  newestVersion,
  record,
  versionsOf,
} from './learning-ledger.ts';

const TICK_MS = 100;
const RETRY_MS = 1000;

export interface LearningHostOptions {
  readonly ledger: LearningLedger;
  readonly payloads: PayloadStore;
  readonly placement: TwinPlacement;
  readonly mqtt: MqttClient;
  readonly group: string;
  readonly twins: TwinStore;
  readonly clock: Clock;
  readonly events: Events;
}

/** A model as the devices are given it: `round` orders the versions of a task. */
interface GivenModel {
  readonly round: number;
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  readonly tensors: readonly NamedTensor[];
}

/**
 * This edge node's part in learning, whoever coordinates it: gives its devices the ledger's newest
 * task and model, passes rounds on to them, and puts their updates where the coordinator finds
 * them: the bytes into the payload store, what they are onto the ledger.
 */
export class LearningHost implements Disposable {
  readonly #options: LearningHostOptions;
  #task: TaskMessage | undefined;
  #model: GivenModel | undefined;
  /** Devices that were given the task and the model. */
  readonly #provisioned = new Set<string>();
  /** Updates on their way to the ledger, by round and device. */
  readonly #recording = new Set<string>();
  #refreshing: Promise<void> = Promise.resolve();
  #cancelTick: () => void = () => undefined;
  #cancelRetry: () => void = () => undefined;
  #isDisposed = false;

  private constructor(options: LearningHostOptions) {
    this.#options = options;
  }

  static async start(options: LearningHostOptions): Promise<LearningHost> {
    const host = new LearningHost(options);
    const { mqtt, group, ledger } = options;
    await mqtt.subscribe(everyDevice(group, 'update'), (message) => host.#onUpdate(message));
    ledger.onCommit((committed) => {
      const types = acceptedOf(committed).map(({ type }) => type);
      if (types.includes('task.define') || types.includes('model.version')) host.#refresh();
    });
    host.#refresh();
    host.#tick();
    return host;
  }

  /** This node's devices that can take part: online, placed here, and reporting all features. */
  eligible(task: Digest): readonly string[] {
    if (this.#task?.task !== task || this.#model === undefined) return [];
    const { twins, placement } = this.#options;
    const { features } = this.#task.definition;
    return twins
      .all()
      .filter((thing) => thing.presence.online)
      .filter((thing) => features.every(({ property }) => reportedOf(thing, property)))
      .map(deviceOf)
      .filter((device) => placement.isHere(device));
  }

  /** Has those of the participants learn that are this node's; returns them. */
  announce({ task, round, base, participants }: RoundAnnouncement): readonly string[] {
    const bytes = roundCodec.encode({ v: 1, task, round, base });
    const ours = this.eligible(task).filter((device) => participants.includes(device));
    for (const device of ours) this.#send(device, 'round', bytes);
    return ours;
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#cancelTick();
    this.#cancelRetry();
  }

  /** Comes to hold what the ledger names; what cannot be fetched is tried again. */
  #refresh(): void {
    if (this.#isDisposed) return;
    this.#cancelRetry();
    this.#refreshing = this.#refreshing
      .then(() => this.#load())
      .catch((error: Error) => {
        if (this.#isDisposed) return;
        this.#options.events.record('warn', 'model-not-fetched', { reason: error.message });
        this.#cancelRetry = this.#options.clock.after(RETRY_MS, () => this.#refresh());
      });
  }

  async #load(): Promise<void> {
    const { state } = this.#options.ledger;
    const task = currentTask(state);
    if (task === undefined) return;
    if (this.#task?.task !== task) {
      const definition = await this.#fetchDefinition(task);
      const model = await this.#fetch(definition.model);
      this.#task = { v: 1, task, definition, model };
      this.#model = undefined;
      this.#provisioned.clear();
    }
    await this.#loadModel(task);
  }

  /** The newest version whose bytes can be had; looks again while that is not the newest of all. */
  async #loadModel(task: Digest): Promise<void> {
    let failure: Error | undefined;
    for (const { round, digest } of versionsOf(this.#options.ledger.state, task)) {
      if (digest === this.#model?.digest) break;
      try {
        const bytes = await this.#fetch(digest);
        const tensors = decodeTensors(bytes);
        if (!tensors.ok) throw new Error(`version ${digest}: ${tensors.error.message}`);
        this.#model = { round, digest, bytes, tensors: tensors.value };
        for (const device of this.#provisioned) this.#sendModel(device, this.#model);
        break;
      } catch (error) {
        failure ??= error as Error;
      }
    }
    if (failure !== undefined) throw failure;
  }

  async #fetchDefinition(task: Digest): Promise<TaskDefinition> {
    const decoded = decodeCanonical(await this.#fetch(task));
    if (!decoded.ok) throw new Error(`task ${task}: ${decoded.error.message}`);
    return taskDefinitionSchema.parse(decoded.value);
  }

  async #fetch(digest: Digest): Promise<Uint8Array> {
    const fetched = await this.#options.payloads.fetch(digest);
    if (!fetched.ok) throw new Error(`${fetched.error.code}: ${fetched.error.message}`);
    return fetched.value;
  }

  #tick(): void {
    const { clock } = this.#options;
    const task = this.#task;
    const model = this.#model;
    if (task !== undefined && model !== undefined) {
      const eligible = this.eligible(task.task);
      for (const device of this.#provisioned) {
        if (!eligible.includes(device)) this.#provisioned.delete(device);
      }
      for (const device of eligible) {
        if (this.#provisioned.has(device)) continue;
        this.#provisioned.add(device);
        this.#send(device, 'task', taskCodec.encode(task));
        this.#sendModel(device, model);
      }
    }
    this.#cancelTick = clock.after(TICK_MS, () => this.#tick());
  }

  #sendModel(device: string, { round, digest, bytes }: GivenModel): void {
    const { task } = this.#task!;
    this.#send(
      device,
      'model',
      modelCodec.encode({ v: 1, task, round, digest, parameters: bytes }),
    );
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

  async #onUpdate({ topic, payload }: MqttMessage): Promise<void> {
    const { events } = this.#options;
    const device = deviceOfTopic(topic) ?? '';
    const update = updateCodec.decode(payload);
    const refusal = update.ok ? this.#refusalOf(update.value) : update.error;
    if (!update.ok || refusal !== undefined) {
      events.record('warn', refusal!.code, { reason: refusal!.message, device });
      return;
    }
    const key = `${update.value.round}/${device}`;
    if (this.#recording.has(key)) return;
    this.#recording.add(key);
    await this.#record(device, update.value)
      .catch((error: Error) => {
        // The device answers again when the round is announced again.
        events.record('warn', 'update-not-recorded', { device, reason: error.message });
      })
      .finally(() => this.#recording.delete(key));
  }

  #refusalOf({ task, round, parameters }: UpdateMessage) {
    const { state } = this.#options.ledger;
    if (task !== this.#task?.task || this.#model === undefined) {
      return { code: 'stale-task', message: 'the update is for another learning task' };
    }
    const next = (newestVersion(state, task)?.round ?? -1) + 1;
    if (round !== next) {
      return { code: 'stale-round', message: `the update is of round ${round}, now is ${next}` };
    }
    const tensors = decodeTensors(parameters);
    if (!tensors.ok) return tensors.error;
    if (sameLayout(this.#model.tensors, tensors.value)) return undefined;
    return { code: 'update-mismatch', message: "the update's parameters are of another model" };
  }

  async #record(device: string, update: UpdateMessage): Promise<void> {
    const { ledger, payloads } = this.#options;
    const { task, round, base, sampleCount, loss, parameters } = update;
    if (readState(ledger.state, 'update', `${task}/${round}/${device}`) !== undefined) return;
    const digest = payloads.put(parameters);
    if (!digest.ok) throw new Error(`${digest.error.code}: ${digest.error.message}`);
    await record(ledger, {
      type: 'model.update',
      body: { task, round, device, base, update: digest.value, sampleCount, loss: String(loss) },
    });
  }
}
