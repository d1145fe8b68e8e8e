import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import { accountIdOf } from '#shared/identity/account-key.ts';
import { ExampleChain, exampleMember, operator, START_MS } from '#shared/ledger/chain.fixture.ts';
import { sha256 } from '../payloads/payload-file.ts';
import { until, voucher } from '../stored-node.fixture.ts';
import { cluster, signed, tampered } from './mempool.fixture.ts';
import { decodePendingPage, encodePendingMessage } from './mempool-message.ts';

const TOPIC = 'diten/site/transactions';

describe('the exchange of transactions', () => {
  it('tell each other of transactions, and give what is pending to one that is back', async (t) => {
    const { pools, networks, hub, chain } = cluster(t, 3);
    await until(() => networks.every((one) => one.connected().length === 2));
    const [a, b, c] = networks.map(({ self }) => self);
    const [first, ...more] = signed(chain, operator(0), 45);
    void pools[0]!.submit(first!);
    await until(() => pools.every((pool) => pool.size === 1));
    hub.setLink(a!, c!, false);
    hub.setLink(b!, c!, false);
    for (const transaction of more) void pools[0]!.submit(transaction);
    await until(() => pools[1]!.size === 45);
    assert.equal(pools[2]!.size, 1);
    hub.setLink(b!, c!, true);
    await until(() => pools[2]!.size === 45);
  });

  it('tell all validators directly while all are connected, and by gossip else', async (t) => {
    const { pools, networks, hub, chain } = cluster(t, 4);
    await until(() => networks.every((one) => one.connected().length === 3));
    for (let i = 0; i < 10; i++) await new Promise(setImmediate);
    const [first, second, third] = signed(chain, operator(0), 3);
    for (const transaction of [first, second]) void pools[0]!.submit(transaction!);
    await until(() => pools.every((pool) => pool.size === 2));
    const sent = () => networks.map((one) => one.counters()['messages-sent']);
    // Both together, once to each, and nobody passes them on.
    assert.deepEqual(sent(), [3, 0, 0, 0]);
    hub.setLink(networks[0]!.self, networks[3]!.self, false);
    void pools[0]!.submit(third!);
    await until(() => pools.every((pool) => pool.size === 3));
    assert.deepEqual(sent(), [3, 0, 0, 0]);
  });

  it('bound what a peer has told and nobody has looked at, and stay up', async (t) => {
    const { pools, networks, chain, join, counts } = cluster(t, 1);
    const peer = join(1);
    await until(() => peer.connected().length === 1);
    const [first] = signed(chain, operator(0), 1);
    const page = (transactions: Uint8Array[]) =>
      encodePendingMessage({ v: 1, transactions, after: null });
    const large = page(Array.from({ length: 600 }, () => first!.bytes));
    const sentCount = Math.ceil((2 * 2 ** 20) / large.length) + 3;
    for (let i = 0; i < sentCount; i++) peer.send(networks[0]!.self, large, 'bulk');
    await until(() => networks[0]!.counters()['messages-received'] === sentCount);
    const [, second] = signed(chain, operator(0), 2);
    peer.send(networks[0]!.self, page([second!.bytes]), 'bulk');
    await until(() => pools[0]!.size > 0 && networks[0]!.connected().length === 1);
    assert.ok(counts[0]!()['transactions-unread']! > 0);
  });

  it('look at what is urgent before what waits, as far as one peer may have it so', async (t) => {
    const clock = createManualClock(START_MS);
    const { pools, networks, chain, join } = cluster(t, 1, clock);
    const peer = join(1);
    await until(() => peer.connected().length === 1);
    const waiting = signed(chain, operator(0), 100);
    const told = signed(chain, operator(1), 70, 200);
    const page = (transactions: Uint8Array[]) => ({ v: 1, transactions, after: null }) as const;
    const [own] = networks;
    const order = new Set<string>();
    pools[0]!.onArrival(() => {
      for (const { digest } of [...told, ...waiting]) {
        if (pools[0]!.isVerified(digest)) order.add(digest);
      }
    });
    peer.send(own!.self, encodePendingMessage(page(waiting.map(({ bytes }) => bytes))), 'bulk');
    for (const { bytes } of told) {
      peer.send(own!.self, encodePendingMessage({ ...page([bytes]), isUrgent: true }), 'bulk');
    }
    await until(() => pools[0]!.size === 170);
    const places = told.map(({ digest }) => [...order].indexOf(digest));
    assert.ok(Math.max(...places.slice(0, 64)) < 100, `${places}`);
    assert.ok(Math.min(...places.slice(64)) >= 164, `${places}`);
  });

  it('tell what is urgent by itself, after what its signer sent before it', async (t) => {
    const { pools, networks, chain } = cluster(t, 4);
    await until(() => networks.every((one) => one.connected().length === 3));
    const heard: (readonly [number, boolean])[] = [];
    networks[1]!.onMessage((_from, body) => {
      const told = decodePendingPage(body);
      if (told.ok) heard.push([told.value.transactions.length, told.value.isUrgent === true]);
    }, 'bulk');
    const body = { keyId: accountIdOf(operator(3).key) };
    const removal = { type: 'operator.remove', body } as const;
    void pools[0]!.submit(signed(chain, operator(0), 1)[0]!);
    void pools[0]!.submit(chain.sign(operator(0), removal, { signerSequence: 2 }));
    await until(() => heard.length === 2);
    assert.deepEqual(heard, [
      [1, false],
      [1, true],
    ]);
  });

  it('publish again what is not committed after a while', async (t) => {
    const clock = createManualClock(START_MS);
    const { pools, networks, hub, chain } = cluster(t, 2, clock);
    await until(() => networks.every((one) => one.connected().length === 1));
    // What they ask each other when they meet is answered by then.
    for (let i = 0; i < 10; i++) await new Promise(setImmediate);
    hub.setDeaf(networks[1]!.self, true);
    void pools[0]!.submit(signed(chain, operator(0), 1)[0]!);
    for (let i = 0; i < 10; i++) await new Promise(setImmediate);
    hub.setDeaf(networks[1]!.self, false);
    assert.equal(pools[1]!.size, 0);
    clock.advance(60_000);
    await until(() => pools[1]!.size === 1);
  });

  it('penalise who passes on what is malformed or wrongly signed, and nobody else', async (t) => {
    const chain = new ExampleChain();
    const [first] = signed(chain, operator(0), 1);
    const ahead = chain.sign(operator(0), voucher(0), { signerSequence: 900 });
    const batch = (transaction: Uint8Array) =>
      encodePendingMessage({ v: 1, transactions: [transaction], after: null });
    const bodies: [string, Uint8Array, string | undefined][] = [
      ['garbage', Uint8Array.of(1, 2, 3), 'pending-malformed'],
      ['truncated', batch(first!.bytes.subarray(0, 60)), 'transaction-malformed'],
      ['wrongly signed', batch(tampered(chain, first!).bytes), 'wrong-signature'],
      ['oversized', batch(new Uint8Array(40_000)), 'pending-malformed'],
      ['of an unknown key', batch(signed(chain, operator(9), 1)[0]!.bytes), undefined],
      ['beyond a large gap', batch(ahead.bytes), undefined],
    ];
    for (const [name, body, code] of bodies) {
      for (const isPublished of [true, false]) {
        const { pools, networks, join } = cluster(t, 1);
        const [own] = networks;
        const peer = join(1);
        await until(() => peer.connected().length === 1);
        if (isPublished) await peer.publish(TOPIC, body);
        else peer.send(own!.self, body, 'bulk');
        const published = code === undefined ? 'published-ignore' : 'published-reject';
        const heard = isPublished ? published : (code ?? 'messages-received');
        await until(() => own!.counters()[heard] === 1);
        for (let i = 0; i < 5; i++) await new Promise(setImmediate);
        assert.equal(own!.connected().length, code === undefined ? 1 : 0, name);
        assert.equal(pools[0]!.size, 0);
      }
    }
  });

  it('do not pass on what they have not checked, along with what is sound', async (t) => {
    const { pools, networks, chain, join } = cluster(t, 1);
    const peer = join(1);
    await until(() => peer.connected().length === 1);
    const [sound] = signed(chain, operator(0), 1);
    const ahead = chain.sign(operator(0), voucher(0), { signerSequence: 900 });
    const transactions = [sound!.bytes, tampered(chain, ahead).bytes];
    await peer.publish(TOPIC, encodePendingMessage({ v: 1, transactions, after: null }));
    await until(() => pools[0]!.size === 1);
    assert.equal(networks[0]!.counters()['published-ignore'], 1);
    assert.equal(networks[0]!.connected().length, 1);
  });

  it('penalise pages that are none, do not end, or hold what is wrong', async (t) => {
    const chain = new ExampleChain();
    const [first] = signed(chain, operator(0), 1);
    const page = (transactions: Uint8Array[], after: number | null) =>
      encodePendingMessage({ v: 1, transactions, after });
    const pages: [string, (asked: number) => Uint8Array][] = [
      ['pending-malformed', () => Uint8Array.of(9)],
      ['pending-malformed', (asked) => page([], asked)],
      ['pending-malformed', () => page([first!.bytes], 1)],
      ['wrong-signature', () => page([tampered(chain, first!).bytes], null)],
      ['transaction-malformed', () => page([Uint8Array.of(0)], null)],
    ];
    for (const [code, answer] of pages) {
      const { networks, join } = cluster(t, 1);
      let asked = 0;
      join(1).answer('pending-transactions', async () => answer(++asked));
      await until(() => (networks[0]!.counters()[code] ?? 0) > 0);
      assert.deepEqual(networks[0]!.connected(), []);
    }
  });

  it('stop asking one that has no end of pages', async (t) => {
    const { pools, networks, chain, join } = cluster(t, 1);
    const [first] = signed(chain, operator(0), 1);
    let asked = 0;
    join(1).answer('pending-transactions', async () => {
      asked++;
      return encodePendingMessage({ v: 1, transactions: [first!.bytes], after: asked });
    });
    await until(() => asked > 0);
    let before = 0;
    while (asked !== before) {
      before = asked;
      for (let i = 0; i < 50; i++) await new Promise(setImmediate);
    }
    assert.equal(asked, 256);
    assert.equal(pools[0]!.size, 1);
    assert.equal(networks[0]!.connected().length, 1);
  });

  it('give pages that are bounded', async (t) => {
    const { pools, networks, chain, join } = cluster(t, 1);
    const peer = join(1);
    await until(() => peer.connected().length === 1);
    const addresses = Array.from({ length: 8 }, (_, i) => `/dns/${'x'.repeat(180)}/tcp/${i}`);
    const all = Array.from({ length: 200 }, (_, i) => {
      const body = exampleMember(5, { name: `node-${i}`, addresses });
      return chain.sign(operator(0), { type: 'validator.add', body }, { signerSequence: i + 1 });
    });
    for (const transaction of all) void pools[0]!.submit(transaction);
    const got: string[] = [];
    const sizes: number[] = [];
    for (let after: number | null = 0; after !== null; ) {
      const body = encodePendingMessage({ v: 1, after });
      const answer = await peer.request(networks[0]!.self, 'pending-transactions', body);
      const page = decodePendingPage(answer);
      assert.ok(page.ok);
      sizes.push(answer.length);
      got.push(...page.value.transactions.map(sha256));
      after = page.value.after;
    }
    assert.equal(got.join(), all.map(({ digest }) => digest).join());
    assert.ok(sizes.length > 1 && Math.max(...sizes) < 300_000, `${sizes}`);
    const malformed = peer.request(networks[0]!.self, 'pending-transactions', Uint8Array.of(1));
    await assert.rejects(malformed, { name: 'PeerError', code: 'request-interrupted' });
    assert.equal(networks[0]!.counters()['pending-malformed'], 1);
    assert.deepEqual(networks[0]!.connected(), []);
  });
});
