import type { Clock } from '#runtime/clock/clock.ts';
import { MqttLink } from '#runtime/mqtt/mqtt-link.ts';
import type { Log } from '#runtime/observe/log.ts';
import type { MetricDefinition, Reading } from '#shared/sparkplug/edge-metrics.ts';
import {
  type EdgeEffect,
  type EdgeInput,
  isOnline,
  stepEdge,
} from '#shared/sparkplug/edge-session.ts';
import { createEdgeSession, type EdgeSession } from '#shared/sparkplug/edge-state.ts';
import type { JsonValue } from '#shared/twin/document/json.ts';
import type { Sample } from '#shared/twin/sample.ts';
import { clientIdOf } from '#shared/wire/client-ids.ts';
import { NOT_SHOWN_METRIC, OUTBOX_METRIC, outboxIdOf } from '#shared/wire/live-state.ts';
import type { Outputs } from '../control/desired-state.ts';
import type { NewSample, Outbox } from '../outbox/outbox.ts';
import type { PropertyDescriptor } from '../sensors/sensor.ts';
import {
  featureMetrics,
  type Measured,
  measuredReadings,
  splitProperty,
} from './feature-metrics.ts';
import { HistoryReplay } from './history-replay.ts';
import { MODEL_DEVICE, modelMetrics, modelReading } from './model-metrics.ts';
import type { SessionStore } from './session-store.ts';

/** Least time between two births that were asked for. */
const REBIRTH_INTERVAL_MS = 1000;

export interface SparkplugEdgeOptions {
  readonly url: string;
  readonly keepaliveSeconds: number;
  readonly reconnectPeriodMs: number;
  readonly group: string;
  readonly device: string;
  /** The host application that has to be online before anything is published. */
  readonly primaryHost?: string | undefined;
  /** Of what was measured in an outage, so many readings are shown a second. */
  readonly historyPerSecond: number;
  readonly properties: readonly PropertyDescriptor[];
  readonly outputs: Outputs;
  /** By its epoch the broker tells one device from another of its name. */
  readonly outbox: Pick<Outbox, 'epoch' | 'counts' | 'following'>;
  /** Closed at disposal. */
  readonly store: SessionStore;
  readonly clock: Clock;
  readonly log: Log;
}

type WithoutTime<T> = T extends unknown ? Omit<T, 'at'> : never;
type WriteEffect = Extract<EdgeEffect, { kind: 'write' }>;

/**
 * The agent as an edge node of Sparkplug B 3.0, on a connection of its own: it shows the newest
 * state live to SCADA tools and to its host application, what was measured in between as history,
 * and takes writes to the device's outputs. Nothing here is acknowledged: that every sample arrives
 * is the business of the outbox's own channel.
 *
 * Errors (exit 78): `broker-url-invalid`.
 */
export class SparkplugEdge implements AsyncDisposable {
  readonly #options: SparkplugEdgeOptions;
  readonly #link: MqttLink;
  readonly #history: HistoryReplay;
  readonly #metrics: ReadonlyMap<string, readonly MetricDefinition[]>;
  /** The newest sequence of each property. */
  readonly #newest = new Map<string, number>();
  #notShown = 0;
  #epoch = '';
  #session: EdgeSession;
  #cancelWake: () => void = () => undefined;

  constructor(options: SparkplugEdgeOptions) {
    const { url, keepaliveSeconds, reconnectPeriodMs, device: node, outbox, log } = options;
    const { group, primaryHost, historyPerSecond, properties, outputs, store, clock } = options;
    this.#options = options;
    this.#session = createEdgeSession(
      {
        ...{ group, node, serverCount: 1, rebirthIntervalMs: REBIRTH_INTERVAL_MS },
        ...(primaryHost === undefined ? {} : { primaryHost }),
      },
      store.bdSeq,
    );
    this.#history = new HistoryReplay({
      ...{ outbox, store, perSecond: historyPerSecond, clock, log },
      show: (samples) => this.#showHistory(samples),
      onNotShown: (count) => this.#countNotShown(count),
    });
    this.#defineNode();
    this.#metrics = featureMetrics(properties, outputs.properties);
    for (const [device, metrics] of this.#metrics) {
      this.#do({ kind: 'define', device, metrics, initial: [] });
    }
    outputs.onSet((property, value) => this.#showOutput(property, value));
    const clientId = clientIdOf(node, 'sparkplug');
    this.#link = new MqttLink(
      { url, clientId, username: outbox.epoch, keepaliveSeconds, reconnectPeriodMs, log },
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

  /** Whether what is measured is shown as it comes. */
  get isOnline(): boolean {
    return isOnline(this.#session);
  }

  /**
   * Shows what was measured, where it says something new; of each property the newest. What of it
   * the outbox took is in `taken`, the last under `lastSequence`: by that the twin knows it.
   */
  observe(measured: readonly NewSample[], taken: readonly NewSample[], lastSequence: number): void {
    this.#heedEpoch();
    const before = lastSequence - taken.length;
    const sequences = new Map(
      taken.map(({ property, timeMs }, i) => [`${property} ${timeMs}`, before + 1 + i]),
    );
    const newest = new Map<string, Measured>();
    for (const sample of measured) {
      const sequence = sequences.get(`${sample.property} ${sample.timeMs}`);
      newest.set(sample.property, sequence === undefined ? sample : { ...sample, sequence });
      if (sequence !== undefined) this.#newest.set(sample.property, sequence);
    }
    if (!this.isOnline) this.#history.missed(before);
    this.#report(measuredReadings([...newest.values()]));
  }

  /** Shows which model the device runs, a Sparkplug device of its own; `undefined` while none. */
  showModel(digest: string | undefined): void {
    const measured = this.#metrics.get(MODEL_DEVICE) ?? [];
    const known = this.#session.devices.get(MODEL_DEVICE);
    const define = (metrics: readonly MetricDefinition[], initial: readonly Reading[]) =>
      this.#do({ kind: 'define', device: MODEL_DEVICE, metrics, initial });
    if (digest === undefined) {
      if (measured.length === 0) this.#do({ kind: 'device-down', device: MODEL_DEVICE });
      else define(measured, []);
      return;
    }
    const reading = modelReading(digest, this.#options.clock.nowMs());
    if (known?.isUp && known.metrics.has(reading.name)) {
      this.#do({ kind: 'report', device: MODEL_DEVICE, readings: [reading] });
    } else {
      define([...measured, ...modelMetrics], [reading]);
    }
  }

  /** Says farewell, where there is a connection, and ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancelWake();
    this.#do({ kind: 'leave' });
    await this.#link[Symbol.asyncDispose]();
    this.#history[Symbol.dispose]();
    this.#options.store[Symbol.dispose]();
  }

  #do(input: WithoutTime<EdgeInput>): void {
    const { clock } = this.#options;
    const at = { wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
    const before = this.#session;
    const { session, effects } = stepEdge(before, { ...input, at } as EdgeInput);
    this.#session = session;
    for (const effect of effects) this.#perform(effect);
    if (isOnline(before) === isOnline(session)) return;
    if (isOnline(session)) {
      const shown = new Set(this.#newest.values());
      this.#history.resume((sequence) => shown.has(sequence));
    } else {
      this.#history.pause();
    }
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
        void this.#write(effect);
        break;
      case 'refused':
        log.warn(
          { code: effect.failure.code, reason: effect.failure.message },
          'refused by the Sparkplug session',
        );
    }
  }

  /** Sets outputs as they are desired over Sparkplug; what they are then, `onSet` hears. */
  async #write({ device, writes }: WriteEffect): Promise<void> {
    const { outputs, log } = this.#options;
    for (const { name, value } of writes) {
      const property = `${device}/${name}`;
      const done = await outputs.set(property, toJson(value));
      if (done.kind === 'done') continue;
      const { code, reason } = done;
      log.warn({ code: 'write-refused', property, status: code, reason }, 'a write was refused');
    }
  }

  #showOutput(property: string, value: JsonValue): void {
    const [device, name] = splitProperty(property);
    const metric = this.#session.devices.get(device)?.metrics.get(name);
    // One that a sensor gives as well, the sensor shows.
    if (metric?.definition.datatype !== 'Boolean' || typeof value !== 'boolean') return;
    const timestampMs = this.#options.clock.nowMs();
    const reading: Reading = { name, value, timestampMs, quality: 'good' };
    this.#do({ kind: 'report', device, readings: [reading] });
  }

  #showHistory(samples: readonly Sample[]): number {
    const isBorn = ({ property }: Sample) => {
      const [device, name] = splitProperty(property);
      const unit = this.#session.devices.get(device);
      return unit?.isUp === true && unit.metrics.has(name);
    };
    const born = samples.filter(isBorn);
    const devices = [...measuredReadings(born)].map(([device, readings]) => {
      return [device, readings.map((each) => ({ ...each, isHistorical: true }))] as const;
    });
    this.#report(new Map(devices));
    return born.length;
  }

  #report(devices: ReadonlyMap<string, readonly Reading[]>): void {
    for (const [device, readings] of devices) {
      if (this.#session.devices.get(device)?.isUp) this.#do({ kind: 'report', device, readings });
    }
  }

  /** An outbox that begins again numbers anew what it holds. */
  #heedEpoch(): void {
    if (this.#epoch === this.#options.outbox.epoch) return;
    this.#newest.clear();
    this.#history.renumbered();
    this.#defineNode();
  }

  #defineNode(): void {
    const { clock, outbox } = this.#options;
    this.#epoch = outbox.epoch;
    const now = { timestampMs: clock.nowMs(), quality: 'good' } as const;
    this.#do({
      kind: 'define',
      metrics: [
        { name: OUTBOX_METRIC, datatype: 'String' },
        { name: NOT_SHOWN_METRIC, datatype: 'Int64' },
      ],
      initial: [
        { name: OUTBOX_METRIC, value: outboxIdOf(outbox.epoch), ...now },
        { name: NOT_SHOWN_METRIC, value: BigInt(this.#notShown), ...now },
      ],
    });
  }

  #countNotShown(count: number): void {
    this.#notShown += count;
    this.#options.log.warn(
      { count, total: this.#notShown },
      'readings of an outage were not shown over Sparkplug: the outbox has them no longer, ' +
        'or nothing measures that property any more',
    );
    const value = BigInt(this.#notShown);
    const timestampMs = this.#options.clock.nowMs();
    const reading: Reading = { name: NOT_SHOWN_METRIC, value, timestampMs, quality: 'good' };
    this.#do({ kind: 'report', readings: [reading] });
  }

  /** A number that cannot be kept is not used: it might come a second time after a restart. */
  #connect({ bdSeq, will }: Extract<EdgeEffect, { kind: 'connect' }>): void {
    try {
      this.#options.store.saveBdSeq(bdSeq);
    } catch (error) {
      this.#options.log.error({ err: error }, 'the number of the Sparkplug session was not kept');
      this.#do({ kind: 'link-down', isUnsent: true });
      this.#link.postpone();
      return;
    }
    this.#link.open(will);
  }
}

/** A written value as outputs take it; anything but a scalar as null, which none does. */
function toJson(value: WriteEffect['writes'][number]['value']): JsonValue {
  const isScalar = ['boolean', 'number', 'string'].includes(typeof value);
  return isScalar ? (value as boolean | number | string) : null;
}
