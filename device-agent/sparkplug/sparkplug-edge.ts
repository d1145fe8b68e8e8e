import type { Clock } from '#runtime/clock/clock.ts';
import { MqttLink } from '#runtime/mqtt/mqtt-link.ts';
import type { Log } from '#runtime/observe/log.ts';
import { type EdgeEffect, type EdgeInput, stepEdge } from '#shared/sparkplug/edge-session.ts';
import { createEdgeSession, type EdgeSession } from '#shared/sparkplug/edge-state.ts';
import { clientIdOf } from '#shared/wire/client-ids.ts';
import type { PropertyDescriptor, Reading } from '../sensors/sensor.ts';
import { featureMetrics, featureReadings } from './feature-metrics.ts';
import type { SessionCounter } from './session-counter.ts';

/** Least time between two births that were asked for. */
const REBIRTH_INTERVAL_MS = 1000;

export interface SparkplugEdgeOptions {
  readonly url: string;
  readonly keepaliveSeconds: number;
  readonly reconnectPeriodMs: number;
  readonly group: string;
  readonly device: string;
  /** Of the device's outbox: by it the broker tells one device from another of its name. */
  readonly epoch: string;
  /** The host application that has to be online before anything is published. */
  readonly primaryHost?: string | undefined;
  readonly properties: readonly PropertyDescriptor[];
  /** Closed at disposal. */
  readonly counter: SessionCounter;
  readonly clock: Clock;
  readonly log: Log;
}

type WithoutTime<T> = T extends unknown ? Omit<T, 'at'> : never;

/**
 * The agent as an edge node of Sparkplug B 3.0, on a connection of its own: it shows live what the
 * sensors measure to SCADA tools and to its host application. Nothing here is kept for later, and
 * nothing acknowledged: that every sample arrives is the outbox's business.
 *
 * Errors (exit 78): `broker-url-invalid`.
 */
export class SparkplugEdge implements AsyncDisposable {
  readonly #options: SparkplugEdgeOptions;
  readonly #link: MqttLink;
  #session: EdgeSession;
  #cancelWake: () => void = () => undefined;

  constructor(options: SparkplugEdgeOptions) {
    const { url, keepaliveSeconds, reconnectPeriodMs, group, device: node, epoch } = options;
    const { primaryHost, counter, log } = options;
    this.#options = options;
    this.#session = createEdgeSession(
      {
        ...{ group, node, serverCount: 1, rebirthIntervalMs: REBIRTH_INTERVAL_MS },
        ...(primaryHost === undefined ? {} : { primaryHost }),
      },
      counter.bdSeq,
    );
    for (const [device, metrics] of featureMetrics(options.properties)) {
      this.#do({ kind: 'define', device, metrics, initial: [] });
    }
    const clientId = clientIdOf(node, 'sparkplug');
    this.#link = new MqttLink(
      { url, clientId, username: epoch, keepaliveSeconds, reconnectPeriodMs, log },
      {
        due: () => this.#do({ kind: 'connect' }),
        connected: () => this.#do({ kind: 'connected' }),
        subscribed: () => this.#do({ kind: 'subscribed' }),
        message: (message) => this.#do({ kind: 'delivery', message }),
        closed: (isUnsent) => this.#do({ kind: 'link-down', isUnsent }),
      },
    );
    this.#do({ kind: 'connect' });
  }

  /** Shows the newest of a sensor's readings, where it says something new. */
  observe(readings: readonly Reading[]): void {
    const newest = readings.at(-1);
    if (newest === undefined) return;
    for (const [device, values] of featureReadings(newest)) {
      this.#do({ kind: 'report', device, readings: values });
    }
  }

  /** Says farewell, where there is a connection, and ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancelWake();
    this.#do({ kind: 'leave' });
    await this.#link[Symbol.asyncDispose]();
    this.#options.counter[Symbol.dispose]();
  }

  #do(input: WithoutTime<EdgeInput>): void {
    const { clock } = this.#options;
    const at = { wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
    const { session, effects } = stepEdge(this.#session, { ...input, at } as EdgeInput);
    this.#session = session;
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: EdgeEffect): void {
    const { clock, log } = this.#options;
    switch (effect.kind) {
      case 'connect':
        this.#connect(effect);
        break;
      case 'subscribe':
        this.#link.subscribe(effect.subscriptions.map(({ filter }) => filter));
        break;
      case 'publish':
        this.#link.publish(effect.message);
        break;
      case 'disconnect':
        this.#link.close(effect);
        break;
      case 'wake':
        this.#cancelWake();
        this.#cancelWake = clock.after(Math.max(0, effect.atMs - clock.monotonicMs()), () =>
          this.#do({ kind: 'tick' }),
        );
        break;
      case 'write':
        // No birth announces a metric that may be written, so that none is let through to here.
        log.warn({ writes: effect.writes.length }, 'a command over Sparkplug was not done');
        break;
      case 'refused':
        log.warn(
          { code: effect.failure.code, reason: effect.failure.message },
          'refused by the Sparkplug session',
        );
    }
  }

  /** A number that cannot be kept is not used: it might come a second time after a restart. */
  #connect({ bdSeq, will }: Extract<EdgeEffect, { kind: 'connect' }>): void {
    try {
      this.#options.counter.save(bdSeq);
    } catch (error) {
      this.#options.log.error({ err: error }, 'the number of the Sparkplug session was not kept');
      this.#do({ kind: 'link-down', isUnsent: true });
      this.#link.postpone();
      return;
    }
    this.#link.open(will);
  }
}
