import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { anyTransaction } from './ledger-members.fixture.ts';
import { type EdgeProcess, LedgerProcesses } from './ledger-processes.fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-faults-'));
after(() => rmSync(folder, { recursive: true, maxRetries: 5 }));

const KILLS = 4;
let chains = 0;
let chain: LedgerProcesses;
let edges: readonly EdgeProcess[];
let isLoading: boolean;
let load: Promise<void>;

describe('four validators, each a process', { timeout: 120_000 }, () => {
  beforeEach(async () => {
    chain = await LedgerProcesses.create(join(folder, `${chains++}`), 4);
    edges = chain.edges;
    await chain.startAll();
    isLoading = true;
    load = submitOnAndOn();
  });

  afterEach(async () => {
    isLoading = false;
    await load;
    await chain[Symbol.asyncDispose]();
  });

  it('are all killed again and again, and no file is wrong or behind itself', async () => {
    let least = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      await sleep(50 + 37 * kill);
      await Promise.all(edges.map((edge) => edge.signal('SIGKILL')));
      const heights = edges.map((edge) => edge.verify());
      assert.ok(Math.max(...heights) >= least, 'what was committed is lost');
      least = Math.max(...heights);
      for (const edge of edges) edge.start();
      await chain.agree();
    }
    await chain.conclude();
  });

  it('go on while one does not read, and it catches up', async (test) => {
    const [, , , deaf] = edges as [EdgeProcess, EdgeProcess, EdgeProcess, EdgeProcess];
    await deaf.signal('SIGSTOP');
    const before = edges[0]!.rssBytes;
    const others = edges.slice(0, 3);
    for (let i = 0; i < 3; i++) await chain.agree(others);
    test.diagnostic(`RSS ${before >> 20} to ${edges[0]!.rssBytes >> 20} MiB`);
    await deaf.signal('SIGCONT');
    await chain.agree();
    isLoading = false;
    await load;
    await chain.conclude();
  });

  it('go on after three were started again at once', async () => {
    const three = edges.slice(1);
    await Promise.all(three.map((edge) => edge.signal('SIGKILL')));
    for (const edge of three) edge.start();
    await chain.agree();
  });

  it('have one of them out of disk, and go on', async () => {
    const full = edges[3]!;
    await full.signal('SIGTERM');
    full.start(1500);
    const { ledger } = await full.until((status) => status.ledger.trouble !== null);
    assert.equal(ledger.trouble, 'disk-failing');
    await chain.agree(edges.slice(0, 3));
    await full.signal('SIGTERM');
    full.verify();
    full.start();
    await chain.agree();
  });

  it('are not started twice, nor on another chain, nor from a copy to any effect', async () => {
    const [first] = edges as [EdgeProcess];
    const twin = await chain.another('twin');
    twin.configure(chain.genesis);
    cpSync(join(first.folder, 'edge.toml'), join(twin.folder, 'edge.toml'));
    twin.start();
    assert.equal(await twin.exit(), 78, twin.complaints);
    assert.match(twin.complaints, /\[data-folder-in-use\]/);

    const other = await LedgerProcesses.create(join(folder, `${chains++}`), 4);
    const copy = await other.another('edge-9', first);
    copy.start();
    assert.equal(await copy.exit(), 78, copy.complaints);
    assert.match(copy.complaints, /\[ledger-of-another-chain\]/);

    const stranger = await chain.another('stranger');
    stranger.start();
    await stranger.until(() => true);
    for (const edge of edges) {
      await edge.until(({ peers }) => (peers['stranger-refused'] ?? 0) > 0);
    }
    assert.equal((await stranger.until(() => true)).ledger.peers, 0);
    await chain.agree();
  });
});

/** Gives each in turn something to commit, whether it is up or not. */
async function submitOnAndOn(): Promise<void> {
  for (let i = 0; isLoading; i++) {
    const edge = edges[i % 3]!;
    await edge.submit(anyTransaction(), chain.operatorKey).catch(() => sleep(20));
  }
}
