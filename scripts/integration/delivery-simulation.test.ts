import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { type NewSample, type Outbox, openOutbox } from '#device-agent/outbox/outbox.ts';
import { Publisher } from '#device-agent/outbox/publisher.ts';
import type { QuotaRule } from '#device-agent/outbox/quota.ts';
import { TwinStore } from '#edge-node/twins/twin-store.ts';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import type { ConnectionListener, MqttClient, MqttHandler } from '#runtime/mqtt/mqtt-client.ts';
import { silentLog as log } from '#runtime/observe/log.ts';
import type { Result } from '#shared/basics/result.ts';
import { type Random, seededRandom } from '#shared/basics/seeded-random.ts';
import {
  type CommittedMessage,
  plainTelemetryCodec as codec,
  committedCodec,
} from '#shared/wire/telemetry.ts';
import { accountForDevice } from '../trial/accounting.ts';

const root = mkdtempSync(join(tmpdir(), 'diten-simulation-'));
after(() => rmSync(root, { recursive: true }));

const device = 'mote-1';
const rules: QuotaRule[][] = [
  [],
  [{ property: 'p/a', drop: 'thin' }],
  [{ property: '*/*', drop: 'thin' }],
];

function whole<T>(result: Result<T, unknown>): T {
  assert.ok(result.ok);
  return result.value;
}

/** Of an agent's life: its end of a link that may be cut, which the edge node's end outlives. */
class Link {
  connected = false;
  readonly listeners: ConnectionListener[] = [];
  handler: MqttHandler = () => undefined;

  client(sent: Uint8Array[]): MqttClient {
    const isConnected = () => this.connected;
    return {
      get connected() {
        return isConnected();
      },
      publish: async (_topic, payload) => {
        if (!this.connected) throw new Error('not connected');
        sent.push(payload);
      },
      subscribe: async (_filter, handler) => {
        this.handler = handler;
      },
      onConnectionChange: (listener) => void this.listeners.push(listener),
      [Symbol.asyncDispose]: async () => undefined,
    };
  }

  set(connected: boolean): void {
    if (this.connected === connected) return;
    this.connected = connected;
    for (const listener of this.listeners) listener(connected);
  }
}

/** One outbox, its publisher and a twin store, and all that lies between them. */
class Field {
  readonly #random: Random;
  readonly #clock = createManualClock(1_700_000_000_000);
  readonly folders: { deviceFolder: string; edgeFolder: string };
  readonly #copy: string;
  readonly #limits: { unacknowledgedMax: number; acknowledgedKept: number; rules: QuotaRule[] };
  /** On their way to the edge node. */
  readonly #up: Uint8Array[] = [];
  /** And to the device. */
  #down: CommittedMessage[] = [];
  #taken = 0;
  #link = new Link();
  #outbox: Outbox;
  #publisher: Publisher | undefined;
  #store: TwinStore;
  #isBroughtBack = false;
  /** Held, for a database that is collected closes itself, and removes the next one's log. */
  readonly #killed: Outbox[] = [];

  /** A copy knows nothing of what the outbox gave up after it: either is tried on its own. */
  readonly #mayBringBack: boolean;

  constructor(seed: number) {
    this.#mayBringBack = seed % 2 === 0;
    this.#random = seededRandom(seed);
    const folder = mkdtempSync(join(root, `${seed}-`));
    this.folders = { deviceFolder: join(folder, 'device'), edgeFolder: join(folder, 'edge') };
    this.#copy = join(folder, 'copy');
    for (const each of Object.values(this.folders)) mkdirSync(each);
    this.#limits = {
      unacknowledgedMax: this.#mayBringBack ? 100_000 : [40, 100, 400][this.#upTo(3)]!,
      acknowledgedKept: [0, 5, 200][this.#upTo(3)]!,
      rules: rules[this.#upTo(3)]!,
    };
    this.#outbox = this.#open();
    this.#store = this.#openStore();
  }

  /** Random steps of either side, the link between them and what ends them. */
  async run(steps: number): Promise<void> {
    await this.#startAgent();
    for (let step = 0; step < steps; step++) {
      await this.#step();
      await settled();
    }
    await this.#heal();
  }

  /** What there is to hold against each other once all is delivered. */
  outcome() {
    const told = Object.values(this.#store.samples.droppedOf(device));
    const { dropped } = this.#outbox.counts();
    this.#publisher?.[Symbol.dispose]();
    this.#outbox[Symbol.dispose]();
    this.#store[Symbol.dispose]();
    const account = accountForDevice(device, this.folders);
    return { account, dropped, told: told.reduce((sum, count) => sum + count, 0) };
  }

  async #step(): Promise<void> {
    const at = this.#random();
    if (at < 0.35) this.#take(1 + this.#upTo([3, 30, 300][this.#upTo(3)]!));
    else if (at < 0.55) this.#commit(1 + this.#upTo(6));
    else if (at < 0.75) this.#acknowledge(1 + this.#upTo(4));
    else if (at < 0.8) this.#cut();
    else if (at < 0.88) this.#connect();
    else if (at < 0.9) await this.#restartAgent();
    else if (at < 0.91) this.#restartEdge();
    else if (at < 0.96) this.#clock.advance(this.#upTo(1500));
    else if (at < 0.97 && this.#mayBringBack && !this.#isBroughtBack) await this.#bringBack();
  }

  async #heal(): Promise<void> {
    this.#take(1);
    for (let turn = 0; turn < 3000; turn++) {
      this.#connect();
      await settled();
      while (this.#up.length > 0) this.#commit(10, false);
      this.#acknowledge(this.#down.length);
      await settled();
      const { available, produced } = this.#outbox.counts();
      if (available > produced && this.#up.length + this.#down.length === 0) return;
      this.#clock.advance(700);
    }
    assert.fail(`nothing came of it: ${JSON.stringify(this.#outbox.counts())}`);
  }

  #take(count: number): void {
    const samples = Array.from({ length: count }, (): NewSample => {
      const property = ['p/a', 'p/a', 'p/a', 'p/b', 'p/c'][this.#upTo(5)]!;
      return { property, timeMs: ++this.#taken, value: this.#taken, quality: 'ok' };
    });
    this.#outbox.append(samples);
    this.#publisher!.notify();
  }

  #commit(messages: number, mayDie = true): void {
    const batch = this.#up.splice(0, messages);
    if (batch.length === 0) return;
    const deliveries = batch.map((bytes) => ({ device, message: whole(codec.decode(bytes)) }));
    const acknowledgements = this.#store.commit(deliveries, this.#clock.nowMs());
    if (mayDie && this.#random() < 0.1) this.#restartEdge();
    else this.#down.push(...acknowledgements.map(({ committed }) => committed));
  }

  #acknowledge(count: number): void {
    for (const committed of this.#down.splice(0, count)) {
      const payload = committedCodec.encode(committed);
      if (this.#link.connected) this.#link.handler({ topic: '', payload, retained: false });
    }
  }

  #connect(): void {
    if (this.#link.connected) return;
    const { epoch } = this.#outbox;
    this.#store.beginEpoch(device, epoch);
    this.#down.push(this.#store.committed(device, epoch));
    this.#link.set(true);
  }

  /** Some of what was under way may arrive all the same. */
  #cut(): void {
    if (!this.#link.connected) return;
    this.#link.set(false);
    this.#up.length = this.#upTo(this.#up.length + 1);
    this.#down = [];
  }

  async #startAgent(): Promise<void> {
    this.#link = new Link();
    const mqtt = this.#link.client(this.#up);
    const parts = { outbox: this.#outbox, mqtt, codec, clock: this.#clock, log };
    this.#publisher = await Publisher.start({ ...parts, group: 'lab', device });
  }

  /** Killed as often as stopped: then nobody closes the file. */
  async #restartAgent(change: () => void = () => undefined): Promise<void> {
    this.#cut();
    this.#publisher?.[Symbol.dispose]();
    if (this.#random() < 0.5) this.#outbox[Symbol.dispose]();
    else this.#killed.push(this.#outbox);
    change();
    this.#outbox = this.#open();
    await this.#startAgent();
  }

  /** Copies the agent's folder, lets it go on for a while, and puts the copy in its place. */
  async #bringBack(): Promise<void> {
    const { deviceFolder } = this.folders;
    await this.#restartAgent(() => cpSync(deviceFolder, this.#copy, { recursive: true }));
    for (let step = 0; step < 40; step++) {
      this.#isBroughtBack = true;
      await this.#step();
      await settled();
    }
    await this.#restartAgent(() => {
      rmSync(deviceFolder, { recursive: true });
      cpSync(this.#copy, deviceFolder, { recursive: true });
    });
  }

  #restartEdge(): void {
    this.#cut();
    this.#up.length = 0;
    this.#store[Symbol.dispose]();
    this.#store = this.#openStore();
  }

  #open(): Outbox {
    const file = join(this.folders.deviceFolder, 'outbox.sqlite');
    return openOutbox({ file, nowMs: 0, ...this.#limits });
  }

  #openStore(): TwinStore {
    const file = join(this.folders.edgeFolder, 'twins.sqlite');
    return new TwinStore(file, { group: 'lab', nowMs: this.#clock.nowMs() });
  }

  #upTo(count: number): number {
    return Math.floor(this.#random() * count);
  }
}

/** Until what the publisher does at once is done. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 12; turn++) await Promise.resolve();
}

describe('delivery, simulated', { timeout: 120_000 }, () => {
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 91]) {
    it(`stores each sample once or counts it as dropped, seed ${seed}`, async () => {
      const field = new Field(seed);
      await field.run(200);
      const { account, dropped, told } = field.outcome();
      const { produced, committed, droppedByRule, missing, duplicated, waiting } = account;
      assert.deepEqual({ missing, duplicated, waiting }, { missing: 0, duplicated: 0, waiting: 0 });
      assert.equal(committed + droppedByRule, produced);
      if (seed % 2 === 1) assert.equal(told, dropped);
    });
  }
});
