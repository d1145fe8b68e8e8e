import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { systemClock } from '#runtime/clock/system-clock.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { startLibp2pNetwork } from './libp2p-network.ts';
import { collect, listOf, until } from './peer-bench.ts';
import type { PeerNetwork } from './peer-network.ts';

const FIXTURE = fileURLToPath(new URL('./peer-process-fixture.ts', import.meta.url));
const ANY_PORT = '/ip4/127.0.0.1/tcp/0';

type Peer = Pick<PeerNetwork, 'self' | 'addresses'> & { readonly process: ChildProcess };

describe('peers in processes of their own', { timeout: 120_000 }, () => {
  let a: PeerNetwork;
  const children: ChildProcess[] = [];

  const spawnPeer = async (seed: number, listen = ANY_PORT): Promise<Peer> => {
    const peers = JSON.stringify([[a.self, a.addresses]]);
    const child = spawn(process.execPath, [FIXTURE, `${seed}`, listen, peers], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    const [line] = await once(child.stdout!, 'data');
    return { ...JSON.parse(`${line}`), process: child };
  };

  beforeEach(async () => {
    a = await startLibp2pNetwork({
      seed: new Uint8Array(32).fill(1),
      listen: [ANY_PORT],
      clock: systemClock,
      log: silentLog,
    });
  });
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    await a[Symbol.asyncDispose]();
  });

  const echoes = async (peer: Peer, word: string) => {
    const received = collect(a);
    // Where both have dialled, the first link may give way to another, and what is on it is lost.
    for (let turn = 0; !received.some(({ message }) => message === word); turn++) {
      assert.ok(turn < 30_000, `${word} is sent back`);
      if (turn % 100 === 0) a.send(peer.self, Buffer.from(word));
      await sleep(2);
    }
  };

  it('one is killed and comes back, five times', async () => {
    let b = await spawnPeer(2);
    const c = await spawnPeer(3);
    a.setPeers(listOf(b, c));
    await until(() => a.connected().length === 2);
    for (let i = 0; i < 5; i++) {
      b.process.kill('SIGKILL');
      await until(() => !a.connected().includes(b.self));
      assert.equal(a.send(b.self, Buffer.from('lost')), false);
      await echoes(c, `${i}, the other`);
      b = await spawnPeer(2, b.addresses[0]);
      await until(() => a.connected().includes(b.self));
      await echoes(b, `${i}, the one that is back`);
    }
  });

  it('a link on which nothing is said for 40 seconds holds', async () => {
    const b = await spawnPeer(2);
    a.setPeers(listOf(b));
    await until(() => a.connected().length === 1);
    const changes: boolean[] = [];
    a.onConnection((_, isConnected) => changes.push(isConnected));
    await sleep(40_000);
    await echoes(b, 'still here');
    assert.deepEqual(changes, []);
  });

  it('one that is stopped costs bounded memory, is given up, and is found again', async () => {
    const [b, c] = [await spawnPeer(2), await spawnPeer(3)];
    a.setPeers(listOf(b, c));
    await until(() => a.connected().length === 2);
    b.process.kill('SIGSTOP');
    const before = process.memoryUsage().arrayBuffers;
    let taken = 0;
    for (let i = 0; i < 1000; i++) {
      if (a.send(b.self, new Uint8Array(1_048_576))) taken++;
      if (i % 100 === 0) await sleep(1);
    }
    assert.ok(taken < 32, `${taken} MiB were taken for a peer that reads nothing`);
    assert.ok(process.memoryUsage().arrayBuffers - before < 1_073_741_824);
    await echoes(c, 'the other');
    await until(() => !a.connected().includes(b.self));
    await echoes(c, 'the other, after');
    b.process.kill('SIGCONT');
    await until(() => a.connected().includes(b.self));
    await echoes(b, 'awake');
  });
});
