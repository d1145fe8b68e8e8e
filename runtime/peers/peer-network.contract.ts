import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  bytes,
  collect,
  listOf,
  meet,
  type Named,
  type PeerBench,
  refuses,
  type Suite,
  text,
  until,
} from './peer-bench.ts';
import { PeerError, type PeerKey, type PeerLimits } from './peer-network.ts';
import { publishing } from './peer-publishing.contract.ts';

/** Waits short enough for a test. */
const quick: Partial<PeerLimits> = { redialMsMin: 20, redialMsMax: 200, penaltyMs: 300 };

/** What every network of peers keeps. */
export function peerNetworkContract(name: string, open: () => Promise<PeerBench>): void {
  describe(`peers: ${name}`, { timeout: 60_000 }, () => {
    let bench: PeerBench;
    const start = (number: number, limits: Partial<PeerLimits> = {}) =>
      bench.start(number, { ...quick, ...limits });
    const pair = async (limits: Partial<PeerLimits> = {}) => {
      const [a, b] = [await start(1, limits), await start(2, limits)];
      await meet(a, b);
      return { a, b };
    };

    beforeEach(async () => {
      bench = await open();
    });
    afterEach(() => bench[Symbol.asyncDispose]());

    messages({ start, pair, deaf: (number) => bench.startDeaf(number) });
    admission({ start, pair });
    requests({ start, pair });
    publishing({ start, pair });

    it('closes: nothing is sent, asked or published any more', async () => {
      const { a, b } = await pair();
      await a[Symbol.asyncDispose]();
      await a[Symbol.asyncDispose]();
      assert.equal(a.send(b.self, bytes('late')), false);
      await refuses(a.request(b.self, 'echo', bytes('late')), 'network-closed');
      await refuses(a.publish('news', bytes('late')), 'network-closed');
      await until(() => b.connected().length === 0);
    });
  });
}

function messages({ start, pair, deaf }: Suite & { deaf(number: number): Promise<Named> }): void {
  it('delivers to each peer in order, whole and once', async () => {
    const [a, b, c] = [await start(1), await start(2), await start(3)];
    await meet(a, b, c);
    const received = [a, b, c].map(collect);
    const numbers = Array.from({ length: 500 }, (_, i) => `${i}`);
    for (const number of numbers) {
      for (const from of [a, b, c]) {
        for (const to of [a, b, c]) {
          if (from !== to) assert.ok(from.send(to.self, bytes(number)));
        }
      }
    }
    await until(() => received.every(({ length }) => length === 2 * numbers.length));
    for (const from of [a, b, c]) {
      for (const [i, to] of [a, b, c].entries()) {
        const got = received[i]!.filter((entry) => entry.from === from.self);
        assert.deepEqual(
          got.map(({ message }) => message),
          from === to ? [] : numbers,
        );
      }
    }
    assert.equal(a.counters()['messages-sent'], 1000);
    assert.equal(a.counters()['messages-received'], 1000);
  });

  it('delivers a message of 1 MiB, an empty one, and what is around them', async () => {
    const { a, b } = await pair();
    const received: Uint8Array[] = [];
    b.onMessage((_, message) => received.push(message));
    const large = Uint8Array.from({ length: 1_048_576 }, (_, i) => i * 31 + (i >> 8));
    const sent = [bytes('before'), large, new Uint8Array(), large.toReversed(), bytes('after')];
    for (const message of sent) assert.ok(a.send(b.self, message));
    await until(() => received.length === sent.length);
    for (const [i, message] of sent.entries()) {
      assert.equal(Buffer.compare(message, received[i]!), 0, `message ${i}`);
    }
  });

  it('sends nothing that is too large, or to who is not there', async () => {
    const { a, b } = await pair({ messageSizeBytesMax: 1000 });
    const received = collect(b);
    assert.equal(a.send(b.self, new Uint8Array(1001)), false);
    assert.equal(a.send('00'.repeat(32) as PeerKey, bytes('x')), false);
    assert.ok(a.send(b.self, new Uint8Array(1000)));
    await until(() => received.length === 1);
    assert.equal(a.counters()['send-too-large'], 1);
    assert.equal(a.counters()['send-not-connected'], 1);
  });

  for (const [what, sizeBytes, limits] of [
    ['bytes', 10_000, { queueSizeBytesMax: 200_000, queueLengthMax: 1e6 }],
    ['count', 1000, { queueSizeBytesMax: 1e9, queueLengthMax: 50 }],
  ] as const) {
    it(`bounds in ${what} what waits for a peer that never reads, and serves others`, async () => {
      const a = await start(1, limits);
      const b = await start(2);
      const mute = await deaf(3);
      const received = collect(b);
      a.setPeers(listOf(a, b, mute));
      b.setPeers(listOf(a));
      await until(() => a.connected().length === 2);
      // What the system's buffers and the stream's window hold counts on top.
      const sentMax = 16_777_216 / sizeBytes;
      let sent = 0;
      for (; sent < sentMax && a.send(mute.self, new Uint8Array(sizeBytes)); sent++) {
        if (sent % 10 === 0) await sleep(0);
      }
      assert.ok(sent < sentMax, 'the queue is bounded');
      assert.equal(a.counters()['send-queue-full'], 1);
      assert.ok(a.send(b.self, bytes('still here')));
      await until(() => received.length === 1);
    });
  }
}

function admission({ start, pair }: Suite): void {
  it('lets nobody in who is not on the list, and counts who tries', async () => {
    const [a, b] = [await start(1), await start(2)];
    const received = collect(a);
    b.setPeers(listOf(a));
    await until(() => (a.counters()['stranger-refused'] ?? 0) > 0);
    assert.deepEqual([a.connected(), b.connected()], [[], []]);
    assert.equal(b.send(a.self, bytes('x')), false);
    await refuses(b.request(a.self, 'echo', bytes('x')), 'peer-not-connected');
    a.setPeers(listOf(b));
    await until(() => a.connected().length === 1 && b.connected().length === 1);
    assert.ok(b.send(a.self, bytes('now')));
    await until(() => received.length === 1);
  });

  it('is connected though only one of two knows an address', async () => {
    const [a, b] = [await start(1), await start(2)];
    a.setPeers(new Map([[b.self, []]]));
    b.setPeers(listOf(a));
    await until(() => a.connected().includes(b.self) && b.connected().includes(a.self));
  });

  it('drops at once who is taken off the list, and takes it back', async () => {
    const { a, b } = await pair();
    const seen: string[] = [];
    a.onConnection((peer, isConnected) => seen.push(`a ${peer === b.self} ${isConnected}`));
    b.onConnection((peer, isConnected) => seen.push(`b ${peer === a.self} ${isConnected}`));
    a.setPeers(listOf(a));
    assert.deepEqual(a.connected(), []);
    assert.deepEqual(seen[0], 'a true false');
    assert.equal(a.send(b.self, bytes('x')), false);
    await until(() => seen.includes('b true false'));
    await until(() => (a.counters()['stranger-refused'] ?? 0) > 0);
    a.setPeers(listOf(b));
    await until(() => seen.includes('a true true') && seen.includes('b true true'));
  });

  it('refuses who was penalised, for a while', async () => {
    const { a, b } = await pair();
    a.penalise(b.self, 'vote-forged');
    assert.deepEqual(a.connected(), []);
    assert.equal(a.counters()['vote-forged'], 1);
    await until(() => b.connected().length === 0);
    await until(() => a.connected().length === 1 && b.connected().length === 1);
  });

  it('finds a peer again that was closed and came back', async () => {
    const { a, b } = await pair();
    const seen: boolean[] = [];
    a.onConnection((_, isConnected) => seen.push(isConnected));
    await b[Symbol.asyncDispose]();
    await until(() => a.connected().length === 0);
    // Time for some attempts in vain.
    await sleep(150);
    const again = await start(2);
    const received = collect(again);
    again.setPeers(new Map([[a.self, []]]));
    await until(() => a.connected().length === 1);
    assert.deepEqual(seen, [false, true]);
    assert.ok(a.send(again.self, bytes('welcome')));
    await until(() => received.length === 1);
  });
}

function requests({ start, pair }: Suite): void {
  it('answers requests, many at once and of any bytes', async () => {
    const { a, b } = await pair();
    b.answer('reverse', async (from, body) => {
      assert.equal(from, a.self);
      return body.toReversed();
    });
    b.answer('count', async (_, body) => bytes(`${body.length}`));
    const asked = ['', 'abc', 'x'.repeat(65_536), '\0\n'];
    const answers = await Promise.all(
      asked.map((body) => a.request(b.self, 'reverse', bytes(body))),
    );
    assert.deepEqual(
      answers.map(text),
      asked.map((body) => [...body].reverse().join('')),
    );
    assert.equal(text(await a.request(b.self, 'count', new Uint8Array(7))), '7');
  });

  it('says why a request was not answered', async () => {
    const { a, b } = await pair({ requestSizeBytesMax: 100 });
    b.answer('refuse', async () => {
      throw new PeerError('block-unknown', 'there is no such block');
    });
    b.answer('fail', async () => {
      throw new Error('an inner secret');
    });
    b.answer('sleep', () => new Promise(() => undefined));
    await refuses(a.request(b.self, 'refuse', bytes('x')), 'request-refused', 'block-unknown');
    await assert.rejects(a.request(b.self, 'refuse', bytes('x')), /there is no such block/);
    await refuses(a.request(b.self, 'fail', bytes('x')), 'request-refused', 'answer-failed');
    await assert.rejects(
      a.request(b.self, 'fail', bytes('x')),
      (error) => !`${error}`.includes('secret'),
    );
    await refuses(a.request(b.self, 'nothing', bytes('x')), 'protocol-unknown');
    await refuses(a.request(b.self, 'sleep', bytes('x'), 50), 'request-timeout');
    await refuses(a.request(b.self, 'refuse', new Uint8Array(101)), 'message-too-large');
    const cut = refuses(a.request(b.self, 'sleep', bytes('x')), 'request-interrupted');
    await sleep(20);
    await b[Symbol.asyncDispose]();
    await cut;
    await refuses(a.request(b.self, 'refuse', bytes('x')), 'peer-not-connected');
  });

  it('answers a few requests of one peer at once and refuses the rest', async () => {
    const { a, b } = await pair({ requestsAtOnceMax: 3 });
    const held = Promise.withResolvers<Uint8Array>();
    let isUnderWay = 0;
    b.answer('hold', () => {
      isUnderWay++;
      return held.promise;
    });
    const first = [1, 2, 3].map(() => a.request(b.self, 'hold', bytes('x')));
    await until(() => isUnderWay === 3);
    await refuses(a.request(b.self, 'hold', bytes('x')), 'request-refused', 'requests-too-many');
    held.resolve(bytes('done'));
    assert.deepEqual((await Promise.all(first)).map(text), ['done', 'done', 'done']);
    assert.equal(text(await a.request(b.self, 'hold', bytes('x'))), 'done');
    assert.equal(b.counters()['requests-too-many'], 1);
  });

  it('gives no answer that is too large, and penalises who gives one', async () => {
    const a = await start(1, { answerSizeBytesMax: 1000, penaltyMs: 60_000 });
    const b = await start(2, { answerSizeBytesMax: 2000 });
    await meet(a, b);
    b.answer('blob', async (_, body) => new Uint8Array(Number(text(body))));
    assert.equal((await a.request(b.self, 'blob', bytes('1000'))).length, 1000);
    const tooLarge = a.request(b.self, 'blob', bytes('2001'));
    await refuses(tooLarge, 'request-refused', 'answer-too-large');
    await refuses(a.request(b.self, 'blob', bytes('2000')), 'answer-too-large');
    assert.deepEqual(a.connected(), []);
    assert.equal(a.counters()['answer-too-large'], 1);
  });
}
