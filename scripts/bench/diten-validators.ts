import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'smol-toml';
import { initLedger } from '../ledger/init-ledger.ts';
import { type LedgerContender, type LedgerLoad, NODES } from './ledger-contender.ts';
import type { NodeCommand } from './ledger-node.ts';

const SCRIPT = fileURLToPath(new URL('./ledger-node.ts', import.meta.url));
const CHAIN = 'bench';
/** Keys that sign each node's transactions, as for several tasks: its own and followers'. */
const SIGNERS = 4;
const UP_MS = 30_000;
const STOP_MS = 5000;

interface NodeStatus {
  readonly height: number;
  readonly peers: number;
  readonly signing: string;
}

interface NodePlan {
  readonly name: string;
  readonly configFile: string;
  readonly logFile: string;
  readonly keyFiles: readonly string[];
}

/** Starts four validators of a new chain under `folder`; `ports` are free ones, one each. */
export async function startDitenValidators(
  folder: string,
  ports: readonly number[],
): Promise<LedgerContender> {
  const nodes = planNodes(folder, ports).map((plan) => new BenchNode(plan));
  const contender: LedgerContender = {
    name: 'diten',
    description: `Node ${process.version}, libp2p, SQLite synchronous=FULL, signatures checked`,
    pid: (node) => nodes[node]!.pid,
    height: async (node) => (await nodes[node]!.status()).height,
    prepare: async () => {
      await Promise.all(
        nodes.filter(({ isUp }) => isUp).map((node) => node.ask({ kind: 'prepare' })),
      );
    },
    run: async ({ nodes: loaded, inFlight, seconds }: LedgerLoad) => {
      const load = { kind: 'load', inFlight, seconds } as const;
      const turns = await Promise.all(loaded.map((node) => nodes[node]!.load(load)));
      return { latenciesMs: turns.flat(), seconds };
    },
    revoke: (node, seconds) => nodes[node]!.load({ kind: 'revoke', seconds }),
    kill: (node) => nodes[node]!.kill(),
    restart: (node) => nodes[node]!.start(),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
  try {
    await allUp(nodes);
  } catch (error) {
    await contender[Symbol.asyncDispose]();
    throw error;
  }
  return contender;
}

async function allUp(nodes: readonly BenchNode[]): Promise<void> {
  const deadlineMs = performance.now() + UP_MS;
  for (const node of nodes) {
    for (;;) {
      const { peers, signing } = await node.status();
      if (peers === NODES - 1 && signing === 'signing') break;
      if (performance.now() > deadlineMs) {
        throw new Error(`${node.name} has ${peers} of ${NODES - 1} peers and is ${signing}`);
      }
      await sleep(50);
    }
  }
}

function planNodes(folder: string, ports: readonly number[]): NodePlan[] {
  const place = (name: string) => join(folder, name);
  const validators = ports.map((port, index) => ({
    name: `edge-${index + 1}`,
    address: `/ip4/127.0.0.1/tcp/${port}`,
    signers: Array.from({ length: SIGNERS - 1 }, (_, n) => `signer-${index + 1}-${n + 1}`),
  }));
  const genesis = initLedger({
    folder,
    chainId: CHAIN,
    timeMs: Date.now(),
    members: validators.flatMap(({ name, address, signers }) => [
      { name, dataFolder: place(name), addresses: [address] },
      ...signers.map((signer) => {
        return { name: signer, dataFolder: place(signer), addresses: [], weight: 0 };
      }),
    ]),
  });
  return validators.map(({ name, address, signers }) => {
    const configFile = join(place(name), 'edge.toml');
    mkdirSync(place(name), { recursive: true });
    const config = {
      ...{ id: name, group: CHAIN, data: place(name), log: { level: 'warn' } },
      ledger: { genesis, listen: [address] },
    };
    writeFileSync(configFile, stringify(config));
    const keyFiles = [
      place('operator-key.pem'),
      ...[name, ...signers].map((signer) => join(place(signer), 'node-key.pem')),
    ];
    return { name, configFile, logFile: join(place(name), 'log'), keyFiles };
  });
}

/** One process, which answers each line with one of the same id. */
class BenchNode {
  readonly name: string;
  readonly #plan: NodePlan;
  readonly #answers = new Map<number, (answer: object | undefined) => void>();
  #child!: ChildProcess;
  #asked = 0;

  constructor(plan: NodePlan) {
    this.name = plan.name;
    this.#plan = plan;
    this.start();
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get isUp(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  start(): void {
    const { configFile, keyFiles, logFile } = this.#plan;
    const complaints = openSync(logFile, 'a');
    this.#child = spawn(process.execPath, [SCRIPT, configFile, ...keyFiles], {
      stdio: ['pipe', 'pipe', complaints],
    });
    closeSync(complaints);
    // What is written to a process that has been killed is lost, as it should be.
    this.#child.stdin!.on('error', () => undefined);
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      const { id, ...answer } = JSON.parse(line) as { id: number };
      this.#settle(id, answer);
    });
    this.#child.once('exit', () => {
      for (const id of this.#answers.keys()) this.#settle(id, undefined);
    });
  }

  async ask(command: NodeCommand): Promise<object> {
    const id = this.#asked++;
    const answered = new Promise<object | undefined>((resolve) => this.#answers.set(id, resolve));
    this.#child.stdin!.write(`${JSON.stringify({ id, ...command })}\n`);
    const answer = await answered;
    if (answer !== undefined) return answer;
    const complaint = readFileSync(this.#plan.logFile, 'utf8').trim().split('\n').at(-1);
    throw new Error(`${this.name} has ended: ${complaint || 'without a word'}`);
  }

  async status(): Promise<NodeStatus> {
    return (await this.ask({ kind: 'status' })) as NodeStatus;
  }

  async load(command: NodeCommand): Promise<number[]> {
    const { latenciesMs, failure } = (await this.ask(command)) as {
      latenciesMs?: number[];
      failure?: object;
    };
    if (latenciesMs !== undefined) return latenciesMs;
    throw new Error(`${this.name}: a transaction failed: ${JSON.stringify(failure)}`);
  }

  /** Lets it end by itself. */
  async stop(): Promise<void> {
    if (!this.isUp) return;
    const ended = once(this.#child, 'exit');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
    this.#child.stdin!.end();
    await ended;
    clearTimeout(timer);
  }

  async kill(): Promise<void> {
    if (!this.isUp) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  #settle(id: number, answer: object | undefined): void {
    this.#answers.get(id)?.(answer);
    this.#answers.delete(id);
  }
}
