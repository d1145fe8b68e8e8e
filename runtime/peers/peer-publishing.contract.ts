import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { bytes, listOf, meet, refuses, type Suite, text, until } from './peer-bench.ts';
import type { PeerKey, PeerNetwork, Verdict } from './peer-network.ts';

/** What publishing keeps, in every network of peers. */
export function publishing({ start, pair }: Suite): void {
  /** Three in a row: the outer ones know each other and are not connected. */
  const row = async () => {
    const [a, b, c] = [await start(1), await start(2), await start(3)];
    a.setPeers(new Map([[c.self, []], ...listOf(b)]));
    c.setPeers(new Map([[a.self, []], ...listOf(b)]));
    b.setPeers(listOf(a, c));
    await until(() => b.connected().length === 2);
    return { a, b, c };
  };
  const listen = (node: PeerNetwork, verdict: (body: string) => Verdict = () => 'accept') => {
    const heard: { from: PeerKey; body: string }[] = [];
    node.subscribe('news', (from, body) => {
      heard.push({ from, body: text(body) });
      return verdict(text(body));
    });
    return heard;
  };
  /** Whoever publishes before the others' subscriptions are known is not heard. */
  const settle = async (from: PeerNetwork, heard: readonly unknown[][]) => {
    for (let i = 0; heard.some(({ length }) => length === 0); i++) {
      await from.publish('news', bytes(`hello ${i}`));
      await sleep(20);
    }
    await sleep(50);
    for (const list of heard) list.length = 0;
  };

  it('reaches who is not connected, once, with the name of who published', async () => {
    const { a, b, c } = await row();
    const heard = [a, b, c].map((node) => listen(node));
    await settle(a, [heard[1]!, heard[2]!]);
    await a.publish('news', bytes('one'));
    await a.publish('news', bytes('one'));
    await until(() => heard[2]!.length > 0);
    await c.publish('news', bytes('two'));
    await c.publish('news', bytes('one'));
    await until(() => heard[0]!.length > 0);
    await sleep(100);
    assert.deepEqual(a.connected(), [b.self]);
    assert.deepEqual(heard[0], [{ from: c.self, body: 'two' }]);
    const both = [
      { from: a.self, body: 'one' },
      { from: c.self, body: 'two' },
    ];
    assert.deepEqual(heard[1], both);
    assert.deepEqual(heard[2], [{ from: a.self, body: 'one' }]);
  });

  it('passes on what is accepted, and penalises who passed on what is rejected', async () => {
    const { a, b, c } = await row();
    const verdict = (body: string): Verdict =>
      body.startsWith('bad') ? 'reject' : body.startsWith('old') ? 'ignore' : 'accept';
    const heard = [b, c].map((node) => listen(node, verdict));
    await settle(a, heard);
    await a.publish('news', bytes('old'));
    await a.publish('news', bytes('good'));
    await until(() => heard[1]!.length === 1);
    assert.deepEqual(
      heard[1]!.map(({ body }) => body),
      ['good'],
    );
    assert.equal(b.counters()['published-ignore'], 1);
    await a.publish('news', bytes('bad'));
    await until(() => b.counters()['published-wrong'] === 1);
    await until(() => !b.connected().includes(a.self));
    assert.ok(b.connected().includes(c.self));
    assert.equal(heard[1]!.length, 1);
  });

  it('publishes nothing that is too large, and hears no unknown author', async () => {
    const { a, b, c } = await row();
    const heard = [b, c].map((node) => listen(node));
    await settle(a, heard);
    await refuses(a.publish('news', new Uint8Array(65_537)), 'message-too-large');
    c.setPeers(listOf(b));
    await a.publish('news', bytes('unknown here'));
    await until(() => c.counters()['published-by-stranger'] === 1);
    assert.deepEqual(
      heard.map(({ length }) => length),
      [1, 0],
    );
  });

  it('drops a published message that is larger than a node takes', async () => {
    const a = await start(1);
    const b = await start(2, { publishSizeBytesMax: 100 });
    await meet(a, b);
    const heard = listen(b);
    await settle(a, [heard]);
    await a.publish('news', new Uint8Array(101));
    await until(() => b.counters()['published-too-large'] === 1);
    await a.publish('news', new Uint8Array(100));
    await until(() => heard.length === 1);
  });

  it('publishes though nobody listens', async () => {
    const { a } = await pair();
    await a.publish('nobody', bytes('x'));
  });
}
