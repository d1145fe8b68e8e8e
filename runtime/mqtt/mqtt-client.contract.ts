import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type MqttClient, MqttError, type MqttMessage } from './mqtt-client.ts';

/** A broker and its clients, through one adapter. All topics are allowed. */
export interface MqttBench extends AsyncDisposable {
  /** A connected client. */
  client(name: string): Promise<MqttClient>;
  /** Takes the broker, or all connections to it, away and waits until `client` has noticed. */
  cutOff(client: MqttClient): Promise<void>;
}

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (message: MqttMessage) => new TextDecoder().decode(message.payload);
const brief = (message: MqttMessage) => `${message.topic}=${text(message)}`;

/** Waits until `isSo`; the test's own timeout ends it. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(2);
}

/** Everything that arrives under `filter`, in order. */
export async function collect(client: MqttClient, filter: string): Promise<MqttMessage[]> {
  const messages: MqttMessage[] = [];
  await client.subscribe(filter, (message) => {
    messages.push(message);
  });
  return messages;
}

/** What every MQTT client keeps, its broker and connection being in order. */
export function mqttClientContract(name: string, open: () => Promise<MqttBench>): void {
  describe(`MQTT client: ${name}`, { timeout: 40_000 }, () => {
    let bench: MqttBench;
    let sender: MqttClient;
    let receiver: MqttClient;

    before(async () => {
      bench = await open();
      sender = await bench.client('sender');
      receiver = await bench.client('receiver');
    });
    after(() => bench[Symbol.asyncDispose]());

    for (const qos of [0, 1] as const) {
      it(`delivers with QoS ${qos}, in order and byte by byte`, async () => {
        const messages = await collect(receiver, `order/${qos}`);
        const sent = Array.from({ length: 500 }, (_, i) => bytes(`${i}\0ÿ`));
        await Promise.all(sent.map((payload) => sender.publish(`order/${qos}`, payload, { qos })));
        await until(() => messages.length >= sent.length);
        assert.deepEqual(
          messages.map(text),
          sent.map((payload) => new TextDecoder().decode(payload)),
        );
        assert.ok(messages.every(({ retained }) => !retained));
      });
    }

    it('delivers to itself, and an empty payload', async () => {
      const messages = await collect(sender, 'own');
      await sender.publish('own', new Uint8Array());
      await until(() => messages.length === 1);
      assert.equal(messages[0]!.payload.length, 0);
    });

    it('delivers what a wildcard matches and nothing else', async () => {
      const one = await collect(receiver, 'w/+/x');
      const all = await collect(receiver, 'w/deep/#');
      for (const topic of ['w/a/x', 'w/a/y', 'w/a/b/x', 'w/deep/a/b', 'w/deep', 'w/b/x']) {
        await sender.publish(topic, bytes('1'), { qos: 1 });
      }
      await until(() => one.length >= 2 && all.length >= 2);
      assert.deepEqual(
        one.map(({ topic }) => topic),
        ['w/a/x', 'w/b/x'],
      );
      assert.deepEqual(
        all.map(({ topic }) => topic),
        ['w/deep/a/b', 'w/deep'],
      );
    });

    it('gives the newest retained message to later subscriptions until it is removed', async () => {
      await sender.publish('kept/a', bytes('old'), { qos: 1, retain: true });
      await sender.publish('kept/a', bytes('new'), { qos: 1, retain: true });
      await sender.publish('kept/b', bytes('gone'), { qos: 1, retain: true });
      await sender.publish('kept/b', new Uint8Array(), { qos: 1, retain: true });
      await sender.publish('kept/c', bytes('not kept'), { qos: 1 });
      const settled = await collect(receiver, 'settled');
      await sender.publish('settled', bytes('1'), { qos: 1 });
      await until(() => settled.length === 1);

      const messages = await collect(receiver, 'kept/#');
      await sender.publish('kept/d', bytes('live'), { qos: 1, retain: true });
      await until(() => messages.some(({ topic }) => topic === 'kept/d'));
      assert.deepEqual(messages.map(brief), ['kept/a=new', 'kept/d=live']);
      assert.deepEqual(
        messages.map(({ retained }) => retained),
        [true, false],
      );
    });

    it('slows the sender down while handlers are busy, and then delivers all', async () => {
      const { promise: released, resolve: release } = Promise.withResolvers<void>();
      const count = 4000;
      let handled = 0;
      await receiver.subscribe('slow', async () => {
        await released;
        handled++;
      });
      let sent = 0;
      const sending = (async () => {
        for (; sent < count; sent++) await sender.publish('slow', new Uint8Array(16 * 2 ** 10));
      })();
      await stalled(() => sent);
      assert.ok(sent < count, 'the sender was never held up');
      assert.equal(handled, 0);
      release();
      await sending;
      await until(() => handled === count);
    });

    it('goes on after a handler failed', async () => {
      let calls = 0;
      await receiver.subscribe('failing', () => {
        calls++;
        throw new Error('as the test wants it');
      });
      await sender.publish('failing', bytes('1'), { qos: 1 });
      await sender.publish('failing', bytes('2'), { qos: 1 });
      await until(() => calls === 2);
      assert.ok(receiver.connected);
    });

    it('lets handlers publish and wait for it, however many there are', async () => {
      const replies = await collect(sender, 'reply');
      await receiver.subscribe('ask', ({ payload }) =>
        receiver.publish('reply', payload, { qos: 1 }),
      );
      const asking = Array.from({ length: 300 }, (_, i) => sender.publish('ask', bytes(`${i}`)));
      await Promise.all(asking);
      await until(() => replies.length === 300);
    });

    it('refuses topics that are none', async () => {
      const isInvalid = (error: unknown) =>
        error instanceof MqttError && error.code === 'topic-invalid';
      for (const topic of ['', 'a/+', 'a/#', 'a\0']) {
        await assert.rejects(sender.publish(topic, bytes('1')), isInvalid);
      }
      await assert.rejects(
        sender.subscribe('a#', () => undefined),
        isInvalid,
      );
    });

    it('rejects, instead of queueing, without a connection', async () => {
      const client = await bench.client('cut-off');
      const changes: [boolean, string | undefined][] = [];
      client.onConnectionChange((connected, reason) => changes.push([connected, reason?.code]));
      await bench.cutOff(client);
      assert.equal(client.connected, false);
      assert.equal(changes[0]?.[0], false);
      assert.notEqual(changes[0]?.[1], undefined);
      await assert.rejects(client.publish('a', bytes('1'), { qos: 1 }), {
        name: 'MqttError',
        code: 'not-connected',
      });
      await client[Symbol.asyncDispose]();
    });
  });
}

/** Waits until `progress` stays the same over many turns. */
async function stalled(progress: () => number): Promise<void> {
  let last = -1;
  for (let same = 0; same < 20; ) {
    await sleep(10);
    same = progress() === last ? same + 1 : 0;
    last = progress();
  }
}
