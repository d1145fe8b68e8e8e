import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '#runtime/clock/system-clock.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { startLibp2pNetwork } from './libp2p-network.ts';
import { collect, listOf, until } from './peer-bench.ts';

it('two peers that dial each other at once, over and over, are linked each time', {
  timeout: 30_000,
}, async (test) => {
  const open = (number: number, listen = '/ip4/127.0.0.1/tcp/0') =>
    startLibp2pNetwork({
      seed: new Uint8Array(32).fill(number),
      listen: [listen],
      limits: { redialMsMin: 0, redialMsMax: 50 },
      clock: systemClock,
      log: silentLog,
    });
  const a = await open(1);
  let b = await open(2);
  test.after(() => Promise.all([a, b].map((node) => node[Symbol.asyncDispose]())));
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
    if (round % 2 === 0) {
      a.setPeers(new Map());
    } else {
      await b[Symbol.asyncDispose]();
      b = await open(2, b.addresses[0]);
    }
    // Less or more than the loss of the link takes to be seen.
    await sleep((round * 7) % 30);
  }
});
