import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse, stringify, type TomlTable } from 'smol-toml';
import { CometClient } from './cometbft-client.ts';
import { type LedgerContender, type LedgerLoad, NODES } from './ledger-contender.ts';

const run = promisify(execFile);

/** Laid over what `cometbft testnet` writes; the rest stays at its defaults. */
const CONSENSUS = {
  timeout_commit: '0s',
  skip_timeout_commit: true,
  create_empty_blocks: false,
  peer_gossip_sleep_duration: '5ms',
};
/** With the defaults of 100 ms, here and above, waiting is most of what a commit takes. */
const FLUSH_THROTTLE_TIMEOUT = '1ms';
const CONFIGURATION =
  'persistent_kvstore, timeout_commit=0s, skip_timeout_commit=true, create_empty_blocks=false, ' +
  'peer_gossip_sleep_duration=5ms, flush_throttle_timeout=1ms; ' +
  'broadcast_tx_sync and NewBlock over a WebSocket';

/**
 * Starts four validators of CometBFT's kvstore under `folder`, two of `ports` each; `refused` tells
 * why they cannot take part. The kvstore checks no signature of a transaction.
 */
export async function startCometValidators(
  binary: string,
  folder: string,
  ports: readonly number[],
): Promise<LedgerContender | { readonly refused: string }> {
  let version: string;
  try {
    version = (await run(binary, ['version'])).stdout.trim();
    const layout = ['--v', `${NODES}`, '--o', folder, '--populate-persistent-peers=false'];
    await run(binary, ['testnet', ...layout]);
  } catch (error) {
    return { refused: `${binary}: ${(error as Error).message.split('\n')[0]}` };
  }
  const homes = Array.from({ length: NODES }, (_, node) => join(folder, `node${node}`));
  const ids = await Promise.all(
    homes.map(async (home) => (await run(binary, ['show-node-id', '--home', home])).stdout.trim()),
  );
  const peers = ids.map((id, node) => `${id}@127.0.0.1:${ports[2 * node]}`);
  for (const [node, home] of homes.entries()) {
    const [p2pPort, rpcPort] = ports.slice(2 * node);
    const others = peers.filter((_, peer) => peer !== node).join(',');
    configure(join(home, 'config', 'config.toml'), {
      p2pPort: p2pPort!,
      rpcPort: rpcPort!,
      others,
    });
  }
  const nodes = homes.map((home, node) => new CometNode([binary, home], ports[2 * node + 1]!));
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.kill()));
  };
  try {
    await Promise.all(nodes.map((node) => node.height()));
  } catch (error) {
    await stop();
    return { refused: (error as Error).message };
  }
  return {
    name: 'cometbft',
    description: `CometBFT ${version}, ${CONFIGURATION}; checks no signature of a transaction`,
    pid: (node) => nodes[node]!.pid,
    height: (node) => nodes[node]!.height(),
    prepare: async () => undefined,
    run: async ({ nodes: loaded, inFlight, seconds }: LedgerLoad) => {
      const turns = await Promise.all(
        loaded.map((node) => nodes[node]!.client.load(inFlight, seconds)),
      );
      return { latenciesMs: turns.flat(), seconds };
    },
    kill: (node) => nodes[node]!.kill(),
    restart: (node) => nodes[node]!.start(),
    [Symbol.asyncDispose]: stop,
  };
}

function configure(
  file: string,
  { p2pPort, rpcPort, others }: { p2pPort: number; rpcPort: number; others: string },
): void {
  const config = parse(readFileSync(file, 'utf8'));
  const change = (section: string, changes: TomlTable) => {
    Object.assign(config[section] as TomlTable, changes);
  };
  config.proxy_app = 'persistent_kvstore';
  config.log_level = 'error';
  change('rpc', { laddr: `tcp://127.0.0.1:${rpcPort}`, pprof_laddr: '' });
  change('p2p', {
    ...{ laddr: `tcp://127.0.0.1:${p2pPort}`, external_address: '', persistent_peers: others },
    ...{ addr_book_strict: false, allow_duplicate_ip: true, pex: false },
    flush_throttle_timeout: FLUSH_THROTTLE_TIMEOUT,
  });
  change('mempool', { size: 50_000, cache_size: 100_000 });
  change('consensus', CONSENSUS);
  writeFileSync(file, stringify(config));
}

class CometNode {
  client!: CometClient;
  readonly #command: readonly [binary: string, home: string];
  readonly #rpcPort: number;
  #child!: ChildProcess;
  #opened!: Promise<void>;

  constructor(command: readonly [binary: string, home: string], rpcPort: number) {
    this.#command = command;
    this.#rpcPort = rpcPort;
    this.start();
  }

  get pid(): number {
    return this.#child.pid!;
  }

  start(): void {
    const [binary, home] = this.#command;
    this.#child = spawn(binary, ['start', '--home', home], { stdio: 'ignore' });
    this.client = new CometClient(this.#rpcPort);
    this.#opened = this.client.open();
    this.#opened.catch(() => undefined); // it is told to whoever asks for the height
  }

  /** Waits until the node is up. */
  async height(): Promise<number> {
    await this.#opened;
    return this.client.height();
  }

  async kill(): Promise<void> {
    this.client.close();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
