import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { SAMPLES_PER_MESSAGE_MAX } from '#shared/wire/telemetry.ts';
import { VirtualDevice } from './virtual-device.ts';

/** As the device agent runs ahead of its acknowledgements, in samples. */
const WINDOW_SAMPLES = 4000;
const DRAIN_MS = 120_000;
const CONNECTING_AT_A_TIME = 50;

export interface StreamTurn {
  readonly committed: number;
  readonly seconds: number;
}

export interface OverloadTurn {
  /** Sent over all devices, and by each. */
  readonly sent: number;
  readonly sentByDevice: Readonly<Record<string, number>>;
  readonly committed: number;
  readonly seconds: number;
  /** How long it took after the load until all that was sent was acknowledged. */
  readonly drainSeconds: number;
}

/** Devices of one broker, as many as were asked for. */
export class StreamLoad implements AsyncDisposable {
  readonly #devices: readonly VirtualDevice[];
  readonly #dueMs = new Map<VirtualDevice, number[]>();

  private constructor(devices: readonly VirtualDevice[]) {
    this.#devices = devices;
  }

  static async connect(options: { port: number; count: number; prefix: string }) {
    const { port, count, prefix } = options;
    const names = Array.from({ length: count }, (_, n) => `${prefix}-${n}`);
    const devices: VirtualDevice[] = [];
    while (devices.length < count) {
      const next = names.slice(devices.length, devices.length + CONNECTING_AT_A_TIME);
      const connected = next.map((name) => VirtualDevice.connect({ port, name }));
      devices.push(...(await Promise.all(connected)));
    }
    return new StreamLoad(devices);
  }

  /** Every device sends as fast as its acknowledgements let it, as the device agent does. */
  async saturate({ seconds, perMessage }: { seconds: number; perMessage: number }) {
    const startMs = performance.now();
    const before = this.#committed();
    const endMs = startMs + 1000 * seconds;
    const pumps = this.#devices.map(async (device) => {
      while (performance.now() < endMs) {
        device.giveUpAfterSilence();
        if (device.underWay < WINDOW_SAMPLES) await device.send(perMessage);
        else await sleep(1);
      }
    });
    await Promise.all(pumps);
    const committed = this.#committed() - before;
    const result = { committed, seconds: (performance.now() - startMs) / 1000 };
    await this.#drain();
    return result satisfies StreamTurn;
  }

  /**
   * Single samples at a steady rate over all devices. A latency is from when the sample was due, so
   * that whoever keeps the generator waiting does not look the better for it.
   */
  async pace({ seconds, perSecond }: { seconds: number; perSecond: number }): Promise<number[]> {
    const latenciesMs: number[] = [];
    for (const device of this.#devices) this.#timeLatencies(device, latenciesMs);
    const startMs = performance.now();
    const total = seconds * perSecond;
    for (let made = 0; made < total; ) {
      const due = Math.min(total, Math.floor(((performance.now() - startMs) * perSecond) / 1000));
      for (; made < due; made++) {
        const device = this.#devices[made % this.#devices.length]!;
        this.#dueMs.get(device)!.push(startMs + (1000 * made) / perSecond);
        void device.send(1);
      }
      await sleep(1);
    }
    await this.#drain();
    return latenciesMs;
  }

  /** Every device offers its share of a rate, and waits for its link but for no acknowledgement. */
  async overload(load: { seconds: number; perSecond: number; perMessage: number }) {
    const { seconds, perSecond, perMessage } = load;
    const startMs = performance.now();
    const [before, sentBefore] = [this.#committed(), this.#sent()];
    const endMs = startMs + 1000 * seconds;
    const share = perSecond / this.#devices.length / 1000;
    const pumps = this.#devices.map(async (device) => {
      const first = device.sent;
      for (let now = startMs; now < endMs; now = performance.now()) {
        device.giveUpAfterSilence();
        const isDue = device.sent - first < (now - startMs) * share;
        if (isDue) await device.send(perMessage);
        // A link that takes all at once would leave no time to hear the acknowledgements.
        await (isDue ? turn() : sleep(1));
      }
    });
    await Promise.all(pumps);
    const committed = this.#committed() - before;
    const loadedMs = performance.now();
    await this.#drain();
    return {
      ...{ committed, sent: this.#sent() - sentBefore },
      sentByDevice: Object.fromEntries(this.#devices.map(({ name, sent }) => [name, sent])),
      seconds: (loadedMs - startMs) / 1000,
      drainSeconds: (performance.now() - loadedMs) / 1000,
    } satisfies OverloadTurn;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#devices.map((device) => device[Symbol.asyncDispose]()));
  }

  #timeLatencies(device: VirtualDevice, latenciesMs: number[]): void {
    const dueMs: number[] = [];
    this.#dueMs.set(device, dueMs);
    let answered = device.committed;
    device.onCommitted = (sequence) => {
      const now = performance.now();
      for (; answered < sequence; answered++) {
        const sampleDueMs = dueMs.shift();
        if (sampleDueMs !== undefined) latenciesMs.push(now - sampleDueMs);
      }
    };
  }

  async #drain(): Promise<void> {
    const deadlineMs = performance.now() + DRAIN_MS;
    for (const device of this.#devices) {
      while (device.committed < device.sent) {
        if (performance.now() > deadlineMs) {
          throw new Error(`${device.name}: ${device.committed} of ${device.sent} acknowledged`);
        }
        device.giveUpAfterSilence();
        const left = device.sent - device.committed;
        if (device.underWay === 0) await device.send(Math.min(left, SAMPLES_PER_MESSAGE_MAX));
        else await sleep(1);
      }
      device.onCommitted = () => undefined;
    }
  }

  #committed(): number {
    return this.#devices.reduce((sum, { committed }) => sum + committed, 0);
  }

  #sent(): number {
    return this.#devices.reduce((sum, { sent }) => sum + sent, 0);
  }
}
