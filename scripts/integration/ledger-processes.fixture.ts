import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'smol-toml';
import type { NodeStatus } from '#edge-node/api/status.ts';
import { LedgerFile } from '#edge-node/ledger/store/ledger-file.ts';
import { verifyAccountNatively } from '#runtime/identity/native-verification.ts';
import { openNodeKeys } from '#runtime/identity/node-keys.ts';
import { openSigningKey } from '#runtime/identity/signing-key.ts';
import { accountIdOf, accountSignerOf } from '#shared/identity/account-key.ts';
import type { Validator } from '#shared/ledger/genesis.ts';
import { signTransaction, type TransactionContent } from '#shared/ledger/transaction.ts';
import { freePorts } from '../free-ports.ts';
import { initLedger } from '../ledger/init-ledger.ts';

const DITEN = fileURLToPath(new URL('../diten.ts', import.meta.url));
const PATIENCE_MS = 60_000;

interface Ports {
  readonly mqtt: number;
  readonly http: number;
  readonly peers: number;
}

interface Receipt {
  readonly outcome: string;
  readonly height: number;
}

/** One `diten edge` process, its folder and what it says. */
export class EdgeProcess {
  readonly name: string;
  readonly folder: string;
  readonly ports: Ports;
  #child: ChildProcess | undefined;
  /** All that it has written to standard error since it was started last. */
  complaints = '';

  constructor(name: string, folder: string, ports: Ports) {
    this.name = name;
    this.folder = folder;
    this.ports = ports;
  }

  get ledgerFile(): string {
    return join(this.folder, 'data', 'ledger.sqlite');
  }

  get url(): string {
    return `http://127.0.0.1:${this.ports.http}`;
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  configure(genesis: string, address = `/ip4/127.0.0.1/tcp/${this.ports.peers}`): void {
    mkdirSync(this.folder, { recursive: true });
    const config = {
      ...{ id: this.name, group: 'site', data: join(this.folder, 'data') },
      log: { level: 'warn' },
      mqtt: { port: this.ports.mqtt },
      http: { port: this.ports.http },
      ledger: { genesis, listen: [address], heartbeatMs: 1000 },
    };
    writeFileSync(join(this.folder, 'edge.toml'), stringify(config));
  }

  /** Starts it; `fileBlocksMax` are the blocks of 1 KiB that a file of it may have. */
  start(fileBlocksMax?: number): void {
    const edge = [process.execPath, DITEN, 'edge', '--config', join(this.folder, 'edge.toml')];
    const limited = `trap '' XFSZ; ulimit -f ${fileBlocksMax}; exec "$@"`;
    const [command, ...args] =
      fileBlocksMax === undefined ? edge : ['bash', '-c', limited, 'bash', ...edge];
    const child = spawn(command!, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.complaints = '';
    child.stderr.on('data', (chunk) => {
      this.complaints += chunk;
    });
    this.#child = child;
  }

  /** Undefined while it does not answer. */
  async status(): Promise<NodeStatus | undefined> {
    try {
      const response = await fetch(`${this.url}/status`, { signal: AbortSignal.timeout(2000) });
      return (await response.json()) as NodeStatus;
    } catch {
      return undefined;
    }
  }

  async until(condition: (status: NodeStatus) => boolean): Promise<NodeStatus> {
    const endMs = performance.now() + PATIENCE_MS;
    for (;;) {
      const status = await this.status();
      if (status !== undefined && condition(status)) return status;
      if (performance.now() > endMs) {
        const said = `${JSON.stringify(status)} ${this.complaints}`;
        throw new Error(`${this.name}: not ${condition}: ${said}`);
      }
      await sleep(30);
    }
  }

  /** Sends a signal; after one that ends it, waits until it has. */
  async signal(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return null;
    const ends = signal !== 'SIGSTOP' && signal !== 'SIGCONT';
    const exit = ends ? once(child, 'exit') : undefined;
    child.kill(signal);
    const code = await exit;
    return code?.[0] as number | null;
  }

  /** Waits for it to end by itself. */
  async exit(): Promise<number | null> {
    const child = this.#child!;
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    return child.exitCode;
  }

  get rssBytes(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]) * 1024;
  }

  /** The height of its file, which is as its blocks say. */
  verify(): number {
    using file = new LedgerFile(this.ledgerFile);
    const verified = file.verify(verifyAccountNatively);
    assert.ok(verified.ok, verified.ok ? '' : `${this.name}: ${verified.error.message}`);
    return verified.value.chain.head.height;
  }

  /** Brings a transaction as `diten ledger submit` does. */
  async submit(content: TransactionContent, keyFile: string): Promise<Receipt> {
    const signer = accountSignerOf(openSigningKey(keyFile));
    const place = await fetch(`${this.url}/api/ledger/signers/${accountIdOf(signer.key)}`);
    const { chainId, height, nextSequence } = (await place.json()) as {
      chainId: string;
      height: number;
      nextSequence: number;
    };
    const signed = signTransaction(
      content,
      { chainId, signerSequence: nextSequence, notAfterHeight: height + 1000 },
      signer,
    );
    assert.ok(signed.ok);
    const response = await fetch(`${this.url}/api/ledger/transactions`, {
      method: 'POST',
      headers: { 'content-type': 'application/cbor' },
      body: Uint8Array.from(signed.value.bytes),
    });
    const answer = (await response.json()) as Receipt;
    assert.equal(response.status, 200, JSON.stringify(answer));
    return answer;
  }
}

/** A chain of `diten edge` processes under one folder; killed with it. */
export class LedgerProcesses implements AsyncDisposable {
  readonly folder: string;
  readonly genesis: string;
  readonly edges: readonly EdgeProcess[];
  readonly #others: EdgeProcess[] = [];

  private constructor(folder: string, genesis: string, edges: readonly EdgeProcess[]) {
    this.folder = folder;
    this.genesis = genesis;
    this.edges = edges;
  }

  static async create(folder: string, count: number): Promise<LedgerProcesses> {
    const edges = await plan(
      folder,
      Array.from({ length: count }, (_, n) => `edge-${n + 1}`),
    );
    const genesis = initLedger({
      ...{ folder, chainId: 'site', timeMs: Date.now() - 1000 },
      members: edges.map(({ name, folder: own, ports }) => ({
        name,
        dataFolder: join(own, 'data'),
        addresses: [`/ip4/127.0.0.1/tcp/${ports.peers}`],
      })),
    });
    for (const edge of edges) edge.configure(genesis);
    return new LedgerProcesses(folder, genesis, edges);
  }

  get operatorKey(): string {
    return join(this.folder, 'operator-key.pem');
  }

  /** Another process with the chain's genesis, not started; of a copied folder if one is given. */
  async another(name: string, copyOf?: EdgeProcess): Promise<EdgeProcess> {
    const [edge] = await plan(this.folder, [name]);
    if (copyOf !== undefined) {
      cpSync(join(copyOf.folder, 'data'), join(edge!.folder, 'data'), { recursive: true });
    }
    edge!.configure(this.genesis);
    this.#others.push(edge!);
    return edge!;
  }

  /** What `validator.add` says of a node. */
  memberOf({ name, folder, ports }: EdgeProcess): Validator {
    mkdirSync(join(folder, 'data'), { recursive: true });
    const { validator, peer, cosigner, log } = openNodeKeys(join(folder, 'data', 'node-key.pem'));
    return {
      ...{ name, publicKey: validator.publicKey, weight: 1, peer },
      ...{ cosigner: cosigner.publicKey, log: log.publicKey },
      addresses: [`/ip4/127.0.0.1/tcp/${ports.peers}`],
    };
  }

  async startAll(): Promise<void> {
    for (const edge of this.edges) edge.start();
    await this.allUp();
  }

  async allUp(): Promise<void> {
    const peers = this.edges.length - 1;
    await Promise.all(
      this.edges.map((edge) =>
        edge.until(({ ledger }) => ledger.peers >= peers && ledger.signing === 'signing'),
      ),
    );
  }

  /** Waits until all have come to the same beyond what they have now. */
  async agree(edges: readonly EdgeProcess[] = this.edges): Promise<void> {
    const before = await Promise.all(edges.map((edge) => edge.until(() => true)));
    const height = Math.max(...before.map(({ ledger }) => ledger.height)) + 1;
    await Promise.all(edges.map((edge) => edge.until(({ ledger }) => ledger.height >= height)));
  }

  /** Ends all and says how high their files are, which verify and do not contradict each other. */
  async conclude(): Promise<number[]> {
    await Promise.all(this.edges.map((edge) => edge.signal('SIGTERM')));
    const heights = this.edges.map((edge) => edge.verify());
    const least = Math.min(...heights);
    const states = this.edges.map(({ ledgerFile }) => {
      using file = new LedgerFile(ledgerFile);
      const [recorded] = file.blocks(least);
      return recorded!.block.header.state;
    });
    assert.equal(new Set(states).size, 1, 'the files differ');
    return heights;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.edges, ...this.#others].map((edge) => edge.signal('SIGKILL')));
  }
}

async function plan(folder: string, names: readonly string[]): Promise<EdgeProcess[]> {
  const ports = await freePorts(3 * names.length);
  return names.map((name, n) => {
    const [mqtt, http, peers] = ports.slice(3 * n);
    const own = { mqtt: mqtt!, http: http!, peers: peers! };
    return new EdgeProcess(name, join(folder, name), own);
  });
}
