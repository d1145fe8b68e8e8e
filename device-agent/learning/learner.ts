import type { Clock } from '#runtime/clock/clock.ts';
import type { MqttClient } from '#runtime/mqtt/mqtt-client.ts';
import type { Log } from '#runtime/observe/log.ts';
import { decodeTensors, encodeTensors, type NamedTensor } from '#shared/codec/tensor.ts';
import { trainingWindows } from '#shared/federation/forecast.ts';
import { type Digest, digestOf, digestOfPlain } from '#shared/identity/digest.ts';
import {
  type ModelMessage,
  modelCodec,
  type RoundMessage,
  roundCodec,
  type TaskMessage,
  taskCodec,
  updateCodec,
} from '#shared/wire/learning.ts';
import type { MessageCodec } from '#shared/wire/message.ts';
import { topicOf } from '#shared/wire/topics.ts';
import type { Outbox } from '../outbox/outbox.ts';
import type { CheckpointStore } from '../training/checkpoint-store.ts';
import type { Trainer } from '../training/trainer.ts';
import { recallFeatures } from './feature-history.ts';
import type { Forecaster } from './forecaster.ts';

/** How long to wait for more readings, or for the link, before a round is tried again. */
const RETRY_MS = 500;
/** Windows below which a device does not take part. */
const WINDOWS_MIN = 16;

export interface LearnerOptions {
  readonly mqtt: MqttClient;
  readonly group: string;
  readonly device: string;
  readonly outbox: Outbox;
  readonly trainer: Trainer;
  /** Where a round that is being learned survives the process. */
  readonly checkpoints: CheckpointStore;
  readonly forecaster: Forecaster;
  readonly clock: Clock;
  readonly log: Log;
}

/** Whether there is more to do for the round: nothing, at once, or after a while. */
type Outcome = 'done' | 'again' | 'later';

interface ModelVersion {
  readonly digest: Digest;
  readonly parameters: NamedTensor[];
}

/**
 * Takes part in learning rounds: holds the task and the newest model version, learns from the
 * outbox's record when a round is announced, and sends the update. Raw samples stay here. A round
 * that was being learned when the process died goes on from its checkpoint, with the windows it
 * began with; where the outbox no longer has all of them it begins anew, with those it has.
 */
export class Learner implements Disposable {
  readonly #options: LearnerOptions;
  #task: TaskMessage | undefined;
  #model: ModelVersion | undefined;
  #round: RoundMessage | undefined;
  /** The answer to `round`, kept until it is out. */
  #update: { round: RoundMessage; bytes: Uint8Array } | undefined;
  /** Of this connection: another may be to an edge node that has begun again at lower rounds. */
  #newest = { model: -1, round: 0 };
  #working = false;
  #cancelRetry: () => void = () => undefined;
  #disposed = false;
  /** Messages are taken one after the other: a model must not overtake its task. */
  #inbox: Promise<void> = Promise.resolve();

  private constructor(options: LearnerOptions) {
    this.#options = options;
  }

  static async start(options: LearnerOptions): Promise<Learner> {
    const learner = new Learner(options);
    options.mqtt.onConnectionChange(() => learner.#forgetOrder());
    await learner.#listen('task', taskCodec, (task) => learner.#takeTask(task));
    await learner.#listen('model', modelCodec, (model) => learner.#takeModel(model));
    await learner.#listen('round', roundCodec, (round) => learner.#takeRound(round));
    return learner;
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#cancelRetry();
  }

  #forgetOrder(): void {
    this.#inbox = this.#inbox.then(() => {
      this.#newest = { model: -1, round: 0 };
    });
  }

  async #listen<T>(
    channel: 'task' | 'model' | 'round',
    codec: MessageCodec<T>,
    take: (message: T) => Promise<void> | void,
  ): Promise<void> {
    const { mqtt, group, device, log } = this.#options;
    await mqtt.subscribe(topicOf(group, device, channel), ({ payload }) => {
      const decoded = codec.decode(payload);
      if (!decoded.ok) {
        log.warn(decoded.error, 'message refused');
        return undefined;
      }
      this.#inbox = this.#inbox
        .then(() => take(decoded.value))
        .catch((error: Error) => log.error({ channel, reason: error.message }, 'learning failed'));
      return this.#inbox;
    });
  }

  async #takeTask(message: TaskMessage): Promise<void> {
    const { trainer, forecaster, log } = this.#options;
    const { task, definition, model } = message;
    if (this.#task?.task === task) return;
    if (digestOfPlain(definition) !== task || digestOf(model) !== definition.model) {
      log.warn({ code: 'digest-mismatch', task }, 'task refused');
      return;
    }
    const { loss, optimiser } = definition;
    const defined = await trainer.defineTask({ model, loss, optimiser: { kind: optimiser } });
    if (!defined.ok) {
      log.warn(defined.error, 'task refused');
      return;
    }
    this.#task = message;
    this.#model = undefined;
    this.#round = undefined;
    this.#update = undefined;
    this.#newest = { model: -1, round: 0 };
    forecaster.setTask(definition);
    log.info({ task }, 'learning task taken');
  }

  async #takeModel({ task, round, digest, parameters }: ModelMessage): Promise<void> {
    const { trainer, forecaster, log } = this.#options;
    // A retained message may come after a newer one.
    if (task !== this.#task?.task || round <= this.#newest.model) return;
    const decoded = decodeTensors(parameters);
    if (!decoded.ok || digestOf(parameters) !== digest) {
      const code = decoded.ok ? 'digest-mismatch' : decoded.error.code;
      log.warn({ code, round, digest }, 'model refused');
      return;
    }
    const used = await trainer.useParameters(decoded.value);
    if (!used.ok) {
      log.warn({ round, ...used.error }, 'model refused');
      return;
    }
    this.#newest.model = round;
    this.#model = { digest, parameters: decoded.value };
    // Before the first round the model knows nothing: its errors would say nothing either.
    if (round > 0) forecaster.modelReady(digest);
    this.#attempt();
  }

  #takeRound(round: RoundMessage): void {
    if (round.task !== this.#task?.task || round.round < this.#newest.round) return;
    this.#newest.round = round.round;
    this.#round = round;
    this.#attempt();
  }

  #attempt(): void {
    if (this.#working || this.#disposed) return;
    this.#cancelRetry();
    this.#working = true;
    this.#answerRound()
      .catch((error: Error): Outcome => {
        this.#options.log.warn({ reason: error.message }, 'round not answered yet');
        return 'later';
      })
      .then((outcome) => {
        this.#working = false;
        if (outcome === 'again') this.#attempt();
        if (outcome === 'later') {
          this.#cancelRetry = this.#options.clock.after(RETRY_MS, () => this.#attempt());
        }
      });
  }

  async #answerRound(): Promise<Outcome> {
    const round = this.#round;
    const task = this.#task;
    if (round === undefined || task === undefined) return 'done';
    if (this.#model?.digest !== round.base) return 'done'; // the model's arrival tries again
    if (this.#update?.round.round !== round.round || this.#update.round.base !== round.base) {
      const bytes = await this.#learn(task, this.#model, round);
      if (bytes === undefined) return 'later';
      this.#update = { round, bytes };
    }
    const { mqtt, group, device } = this.#options;
    await mqtt.publish(topicOf(group, device, 'update'), this.#update.bytes, { qos: 1 });
    return this.#round === round ? 'done' : 'again';
  }

  async #learn(
    { task, definition }: TaskMessage,
    model: ModelVersion,
    { round }: RoundMessage,
  ): Promise<Uint8Array | undefined> {
    const { outbox, trainer, checkpoints, log } = this.#options;
    // Of another task, round or base than this one nothing is ever gone on with.
    const name = `${task}/${round}/${model.digest}`;
    checkpoints.keepOnly(name);
    const through = checkpoints.dataEndOf(name) ?? outbox.measured.mark();
    const slot = checkpoints.slot(name, through);
    const readings = recallFeatures(outbox, definition, { count: definition.readings, through });
    const windows = trainingWindows(
      definition,
      readings.map(({ vector }) => vector),
    );
    if (windows.count < WINDOWS_MIN) {
      slot.clear();
      return undefined;
    }
    const { batchSize, localEpochs, learningRate } = definition;
    const trained = await trainer.train(
      {
        parameters: model.parameters,
        ...windows,
        batchSize,
        epochs: localEpochs,
        learningRate,
        seed: round,
      },
      { checkpoints: slot },
    );
    if (!trained.ok || trained.value.outcome !== 'completed') {
      // What led nowhere is not gone on with; a stopping agent goes on when it is back.
      if (!trained.ok || trained.value.outcome === 'diverged') slot.clear();
      log.warn({ round, ...(trained.ok ? trained.value : trained.error) }, 'round not learned');
      return undefined;
    }
    const { losses, parameters } = trained.value;
    const loss = losses.reduce((sum, each) => sum + each, 0) / losses.length;
    log.info({ round, loss, windows: windows.count }, 'round learned');
    return updateCodec.encode({
      v: 1,
      task,
      round,
      base: model.digest,
      sampleCount: windows.count,
      loss,
      parameters: encodeTensors(parameters),
    });
  }
}
