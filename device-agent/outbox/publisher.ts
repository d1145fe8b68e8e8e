import type { Clock } from '#runtime/clock/clock.ts';
import type { MqttClient, MqttMessage } from '#runtime/mqtt/mqtt-client.ts';
import type { Log } from '#runtime/observe/log.ts';
import type { DropCount } from '#shared/twin/sample-stream.ts';
import type { MessageCodec } from '#shared/wire/message.ts';
import {
  committedCodec,
  type DataMessage,
  DROP_COUNTS_MAX,
  SAMPLES_PER_MESSAGE_MAX,
} from '#shared/wire/telemetry.ts';
import { topicOf } from '#shared/wire/topics.ts';
import { HistoryPace } from './history-pace.ts';
import type { Outbox } from './outbox.ts';

/** Without an acknowledgement for so long, all that is not acknowledged is sent again. */
const STALL_MS = 3000;
const HISTORY_PER_SECOND = 20_000;

export interface PublisherOptions {
  readonly outbox: Outbox;
  readonly mqtt: MqttClient;
  readonly codec: MessageCodec<DataMessage>;
  readonly group: string;
  readonly device: string;
  /** Of what the outbox held when the connection began, so many samples go a second at most. */
  readonly historyPerSecond?: number;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Carries the outbox to the edge node: sends in order, a bounded way ahead of what the edge node
 * has acknowledged as committed, and from there again after a lost link or a silence.
 */
export class Publisher implements Disposable {
  readonly #options: PublisherOptions;
  readonly #dataTopic: string;
  #sent: number;
  /** The counts of dropped samples that went out last. */
  #droppedTold: readonly DropCount[] | undefined;
  #publishing = false;
  /** Something may have come since the last look into the outbox. */
  #wanted = false;
  #disposed = false;
  #progressMs: number;
  readonly #pace: HistoryPace;
  #cancelPause: () => void = () => undefined;
  #cancelTimer: () => void = () => undefined;
  #drained: (() => void)[] = [];
  readonly #parted: (() => void)[] = [];

  private constructor(options: PublisherOptions) {
    this.#options = options;
    this.#dataTopic = topicOf(options.group, options.device, 'data');
    this.#sent = options.outbox.counts().available - 1;
    this.#progressMs = options.clock.monotonicMs();
    this.#pace = new HistoryPace(options.clock, options.historyPerSecond ?? HISTORY_PER_SECOND);
  }

  /** Begins behind what is acknowledged. */
  static async start(options: PublisherOptions): Promise<Publisher> {
    const publisher = new Publisher(options);
    const { mqtt, group, device } = options;
    mqtt.onConnectionChange(() => publisher.#begin());
    await mqtt.subscribe(topicOf(group, device, 'committed'), (message) =>
      publisher.#onCommitted(message),
    );
    publisher.#watch();
    publisher.#begin();
    return publisher;
  }

  /** To be called when the outbox has something new. */
  notify(): void {
    void this.#pump();
  }

  /** Resolves when all that was produced is acknowledged. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#drained.push(resolve);
      this.#settle();
    });
  }

  /**
   * `listener` is told when the edge node turns out to have other samples than it acknowledged, or
   * fewer: either side was brought back from an older copy, or lost its file.
   */
  onParted(listener: () => void): void {
    this.#parted.push(listener);
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#cancelPause();
    this.#cancelTimer();
  }

  #onCommitted({ payload, retained }: MqttMessage): void {
    const { outbox, log } = this.#options;
    const decoded = committedCodec.decode(payload);
    if (!decoded.ok) {
      log.warn(decoded.error, 'acknowledgement refused');
      return;
    }
    const { epoch, sequence, runs } = decoded.value;
    const { acknowledged } = outbox.counts();
    if (epoch !== outbox.epoch) return; // retained, of an outbox that was here before
    if (outbox.acknowledge(sequence, runs)) {
      const facts = { sequence, acknowledged, epoch, newEpoch: outbox.epoch };
      log.warn(
        facts,
        'the edge node has samples this outbox never had: it was brought back from ' +
          'an older copy, and goes on under a new epoch',
      );
      this.#rewind();
      this.#part();
      return;
    }
    if (sequence < acknowledged && !retained) {
      log.warn({ sequence, acknowledged, epoch }, 'the edge node lost samples it had acknowledged');
      this.#part();
    }
    if (sequence <= acknowledged) return;
    this.#sent = Math.max(this.#sent, sequence);
    this.#progressMs = this.#options.clock.monotonicMs();
    this.#settle();
    void this.#pump();
  }

  #part(): void {
    for (const listener of this.#parted) listener();
  }

  async #pump(): Promise<void> {
    this.#wanted = true;
    if (this.#publishing) return;
    this.#publishing = true;
    try {
      while (this.#wanted) {
        this.#wanted = false;
        while (await this.#publishNext());
      }
    } catch (error) {
      // The link went down under the message; the next connection starts from the acknowledged.
      this.#options.log.debug({ err: error }, 'publishing interrupted');
    } finally {
      this.#publishing = false;
    }
  }

  async #publishNext(): Promise<boolean> {
    const { outbox, mqtt, codec } = this.#options;
    const { epoch } = outbox;
    const { available, produced } = outbox.counts();
    const after = Math.max(this.#sent, available - 1);
    const ahead = after - available;
    if (this.#disposed || !mqtt.connected || ahead >= outbox.sendAheadMax) return false;
    const countMax = this.#pace.allowance(after, SAMPLES_PER_MESSAGE_MAX);
    if (countMax < 1) {
      this.#pause();
      return false;
    }
    const { run, isNewestRun, samples } = outbox.followingRun(after, countMax);
    const first = samples[0]?.sequence ?? 0;
    const last = samples.at(-1);
    if (last === undefined) return false;
    if (after === available - 1) this.#progressMs = this.#options.clock.monotonicMs();
    this.#sent = last.sequence;
    this.#pace.spend(after, samples.length);
    outbox.sending(last.sequence);
    const dropped = outbox.dropped();
    const message: DataMessage = {
      ...{ epoch, available, samples, waiting: produced - last.sequence },
      ...(first === after + 1 ? {} : { after }),
      ...(run === undefined ? {} : { run }),
      ...(dropped === this.#droppedTold ? {} : { dropped: largest(dropped) }),
    };
    // Of earlier runs the edge node may have all, and then it takes nothing of this message.
    if (isNewestRun) this.#droppedTold = dropped;
    await mqtt.publish(this.#dataTopic, codec.encode(message));
    return true;
  }

  /** A connection has begun, or ended. */
  #begin(): void {
    this.#pace.begin(this.#options.outbox.counts().produced);
    this.#rewind();
  }

  #pause(): void {
    this.#cancelPause();
    const pauseMs = this.#pace.waitMs(SAMPLES_PER_MESSAGE_MAX);
    this.#cancelPause = this.#options.clock.after(pauseMs, () => this.notify());
  }

  #rewind(): void {
    this.#sent = this.#options.outbox.counts().available - 1;
    this.#droppedTold = undefined;
    this.#progressMs = this.#options.clock.monotonicMs();
    void this.#pump();
  }

  #watch(): void {
    const { clock, outbox, log } = this.#options;
    this.#cancelTimer = clock.after(STALL_MS / 4, () => {
      const unacknowledged = this.#sent >= outbox.counts().available;
      if (unacknowledged && clock.monotonicMs() - this.#progressMs >= STALL_MS) {
        log.warn({ sent: this.#sent, ...outbox.counts() }, 'no acknowledgement; sending again');
        this.#rewind();
      }
      this.#watch();
    });
  }

  #settle(): void {
    const { available, produced } = this.#options.outbox.counts();
    if (available <= produced) return;
    for (const resolve of this.#drained.splice(0)) resolve();
  }
}

function largest(counts: readonly DropCount[]): readonly DropCount[] {
  return counts.toSorted((a, b) => b.count - a.count).slice(0, DROP_COUNTS_MAX);
}
