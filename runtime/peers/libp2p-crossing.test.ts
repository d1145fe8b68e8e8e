import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '#runtime/clock/system-clock.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { startLibp2pNetwork } from './libp2p-network.ts';
import { collect, listOf, until } from './peer-bench.ts';
import type { PeerNetwork } from './peer-network.ts';

it('two peers that dial each other at once, over and over, are linked and heard each time', {
  timeout: 60_000,
}, async (test) => {
  const open = (number: number, listen = '/ip4/127.0.0.1/tcp/0') =>
    startLibp2pNetwork({
      seed: new Uint8Array(32).fill(number),
      listen: [listen],
      limits: { redialMsMin: 0, redialMsMax: 50 },
      clock: systemClock,
      log: silentLog,
    });
  const heard: string[] = [];
  const listen = (node: PeerNetwork) =>
    node.subscribe('news', (_from, body) => {
      heard.push(`${Buffer.from(body)}`);
      return 'accept';
    });
  const a = await open(1);
  let b = await open(2);
  listen(a);
  listen(b);
  test.after(() => Promise.all([a, b].map((node) => node[Symbol.asyncDispose]())));
  const isHeard = (round: number) =>
    ['a', 'b'].every((node) => heard.some((each) => each.startsWith(`${node} ${round} `)));
  for (let round = 0; round < 20; round++) {
    const received = [collect(a), collect(b)] as const;
    a.setPeers(listOf(b));
    b.setPeers(listOf(a));
    await until(() => {
      a.send(b.self, Buffer.from('from a'));
      b.send(a.self, Buffer.from('from b'));
      return received.every(({ length }) => length > 0);
    });
    // A second connection may still be in the course of being chosen or closed.
    await until(() => a.connected().length === 1 && b.connected().length === 1);
    for (let copy = 0; !isHeard(round); copy++) {
      assert.ok(copy < 2000, 'what was published is heard');
      await a.publish('news', Buffer.from(`a ${round} ${copy}`));
      await b.publish('news', Buffer.from(`b ${round} ${copy}`));
      await sleep(10);
    }
    if (round % 2 === 0) {
      a.setPeers(new Map());
    } else {
      await b[Symbol.asyncDispose]();
      b = await open(2, b.addresses[0]);
      listen(b);
    }
    // Less or more than the loss of the link takes to be seen.
    await sleep((round * 7) % 30);
  }
});
