import { randomBytes } from 'node:crypto';
import type { MqttClient, MqttMessage } from '#runtime/mqtt/mqtt-client.ts';
import { connectMqtt } from '#runtime/mqtt/mqtt-js-client.ts';
import { silentLog } from '#runtime/observe/log.ts';
import type { Sample } from '#shared/twin/sample.ts';
import { committedCodec, plainTelemetryCodec } from '#shared/wire/telemetry.ts';
import { topicOf } from '#shared/wire/topics.ts';

export const BENCH_GROUP = 'bench';
/** What each device measures. */
export const PROPERTIES = Array.from({ length: 5 }, (_, n) => `environment/quantity-${n}`);
/** As the device agent sends again where it hears nothing. */
const STALL_MS = 3000;
const CONNECT_MS = 20_000;

export interface DeviceOptions {
  readonly port: number;
  readonly name: string;
}

/**
 * A device's end of the wire without its disk: what it has to send follows from the sequence, so
 * that a backlog of any length takes no memory. Speaks real MQTT in the project's own codec.
 */
export class VirtualDevice implements AsyncDisposable {
  readonly name: string;
  readonly epoch = randomBytes(8).toString('hex');
  readonly mqtt: MqttClient;
  /** Called with each acknowledgement that says more than those before. */
  onCommitted: (sequence: number) => void = () => undefined;
  #sent = 0;
  #committed = 0;
  #highest = 0;
  #progressMs = performance.now();

  private constructor({ port, name }: DeviceOptions) {
    this.name = name;
    this.mqtt = connectMqtt({
      url: `mqtt://127.0.0.1:${port}`,
      ...{ clientId: name, username: this.epoch, keepaliveSeconds: 300 },
      ...{ reconnectPeriodMs: 100, log: silentLog },
    });
  }

  static async connect(options: DeviceOptions): Promise<VirtualDevice> {
    const device = new VirtualDevice(options);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    device.mqtt.onConnectionChange((connected) => connected && resolve());
    const late = () => reject(new Error(`${options.name}: the broker does not let it in`));
    const timer = setTimeout(late, CONNECT_MS);
    await promise;
    clearTimeout(timer);
    const topic = topicOf(BENCH_GROUP, options.name, 'committed');
    await device.mqtt.subscribe(topic, (message) => device.#onCommitted(message));
    return device;
  }

  /** The last sequence that is acknowledged as durable. */
  get committed(): number {
    return this.#committed;
  }

  /** The last sequence that was ever sent. */
  get sent(): number {
    return this.#highest;
  }

  /** Samples on their way. */
  get underWay(): number {
    return this.#sent - this.#committed;
  }

  /** After a silence what is not acknowledged is on its way no more, and goes with what is next. */
  giveUpAfterSilence(): void {
    const now = performance.now();
    if (this.underWay > 0 && now - this.#progressMs <= STALL_MS) return;
    this.#sent = this.#committed;
    this.#progressMs = now;
  }

  /** Sends the next samples as one message; resolves when the transport took it. */
  async send(count: number, value?: number): Promise<void> {
    const timeMs = Date.now();
    const first = this.#sent + 1;
    const samples = Array.from({ length: count }, (_, index): Sample => {
      const sequence = first + index;
      const property = PROPERTIES[sequence % PROPERTIES.length]!;
      return { sequence, property, timeMs, value: value ?? sequence, quality: 'ok' };
    });
    this.#sent += count;
    this.#highest = Math.max(this.#highest, this.#sent);
    const { epoch } = this;
    const message = plainTelemetryCodec.encode({
      ...{ epoch, samples },
      available: this.#committed + 1,
    });
    await this.mqtt.publish(topicOf(BENCH_GROUP, this.name, 'data'), message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mqtt[Symbol.asyncDispose]();
  }

  #onCommitted({ payload }: MqttMessage): void {
    const decoded = committedCodec.decode(payload);
    if (!decoded.ok || decoded.value.epoch !== this.epoch) return;
    if (decoded.value.sequence <= this.#committed) return;
    this.#committed = decoded.value.sequence;
    this.#sent = Math.max(this.#sent, this.#committed);
    this.#progressMs = performance.now();
    this.onCommitted(this.#committed);
  }
}
