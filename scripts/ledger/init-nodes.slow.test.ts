import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../free-ports.ts';
import { runDiten, useFolder } from '../model/diten.fixture.ts';

const DITEN = join(import.meta.dirname, '..', 'diten.ts');
const at = useFolder();

/** Starts the node, its broker and API on ports of the system's choice; resolves with its API. */
async function startEdge(configFile: string): Promise<{ child: ChildProcess; api: string }> {
  const text = readFileSync(configFile, 'utf8');
  writeFileSync(configFile, text.replace(/^port = (?:1883|8080)$/gm, 'port = 0'));
  // From another working directory than the one that the paths were made in.
  const child = spawn(process.execPath, [DITEN, 'edge', '--config', configFile], {
    cwd: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const { api } = JSON.parse(line) as { api?: string };
    if (api === undefined) continue;
    child.stdout.resume();
    return { child, api };
  }
  throw new Error(`${configFile}: the node has ended`);
}

describe('the nodes of a new chain', { timeout: 60_000 }, () => {
  it('start as they are, and find each other', async () => {
    // A machine each, as far as Linux's loopback goes, so that all have the same ports.
    const hosts = process.platform === 'linux' ? [1, 2, 3, 4].map((n) => `127.0.0.${n}`) : [];
    const count = Math.max(1, hosts.length);
    const [port] = await freePorts(1);
    const made = await runDiten(
      [
        ...['ledger', 'init', '--nodes', `${count}`, '--out', 'chain', '--first-port', `${port}`],
        ...(hosts.length > 0 ? ['--host', ...hosts] : []),
      ],
      at.folder,
    );
    assert.deepEqual([made.code, made.complaint], [0, '']);
    const names = Array.from({ length: count }, (_, index) => `edge-${index + 1}`);
    const edges = await Promise.all(
      names.map((name) => startEdge(at.path(`chain/${name}/edge.toml`))),
    );
    try {
      for (const { api } of edges) await untilConnected(api, count - 1);
    } finally {
      for (const { child } of edges) child.kill();
      await Promise.all(edges.map(({ child }) => once(child, 'exit')));
    }
    for (const name of names) {
      const file = join('chain', name, 'data', 'ledger.sqlite');
      const verified = await runDiten(['ledger', 'verify', '--file', file], at.folder);
      assert.deepEqual([verified.code, verified.complaint], [0, '']);
      assert.match(verified.out, /chain +site\n/);
    }
  });
});

async function untilConnected(api: string, peers: number): Promise<void> {
  for (;;) {
    const { out } = await runDiten(['ledger', 'status', '--url', api, '--json'], at.folder);
    const status = JSON.parse(out) as { peers: number; signing: string };
    if (status.peers === peers && status.signing === 'signing') return;
    await sleep(100);
  }
}
