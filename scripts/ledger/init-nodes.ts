import { copyFileSync, existsSync, readdirSync } from 'node:fs';
import { isIPv4, isIPv6 } from 'node:net';
import { join, resolve } from 'node:path';
import { stringify } from 'smol-toml';
import { exitCode, ProgramError } from '#runtime/process/program-error.ts';
import { MEMBERS_MAX, VALIDATORS_MAX } from '#shared/ledger/genesis.ts';
import { nameSchema } from '#shared/wire/names.ts';
import { faultTolerance } from './fault-tolerance.ts';
import { initLedger, writeText } from './init-ledger.ts';

export interface InitOptions {
  readonly nodes: number;
  readonly out: string;
  /** The chain's name, which is also the group of the nodes. */
  readonly chain: string;
  /** A machine for all nodes, or one for each. */
  readonly host: readonly string[];
  readonly firstPort: number;
}

interface PlannedNode {
  readonly name: string;
  readonly folder: string;
  readonly address: string;
  readonly listen: string;
  readonly mqttPort: number;
  readonly httpPort: number;
}

const MQTT_PORT = 1883;
const HTTP_PORT = 8080;

/**
 * `diten ledger init`: a folder for each node, ready for `diten edge --config`, around one genesis.
 * Returns what to tell the person.
 *
 * Errors (exit 2): `too-many-nodes`, `chain-malformed`, `host-malformed`, `hosts-missing`,
 * `port-out-of-range`, `folder-not-empty`; those of `initLedger`.
 */
export function initNodes(options: InitOptions): string {
  const out = resolve(options.out);
  const nodes = planNodes(options, out);
  if (!nameSchema.safeParse(options.chain).success) {
    throw wrong('chain-malformed', `--chain ${options.chain}: use 1 to 64 of a-z, 0-9 and -`);
  }
  requireEmpty(out);
  const genesis = initLedger({
    folder: out,
    chainId: options.chain,
    timeMs: Date.now(),
    members: nodes.map(({ name, folder, address }) => {
      return { name, dataFolder: join(folder, 'data'), addresses: [address] };
    }),
  });
  for (const node of nodes) {
    copyFileSync(genesis, join(node.folder, 'genesis.toml'));
    writeText(join(node.folder, 'edge.toml'), configText(node, options.chain));
  }
  return [
    `${options.chain}: ${faultTolerance(nodes.length)}`,
    ...nodes.map(({ folder, address }) => `${join(folder, 'edge.toml')}  ${address}`),
    `${join(out, 'operator-key.pem')}  keep it apart from the nodes: it changes who takes part`,
  ].join('\n');
}

function planNodes({ nodes, host, firstPort }: InitOptions, out: string): PlannedNode[] {
  if (nodes > VALIDATORS_MAX) {
    const message = `--nodes ${nodes}: a chain has 1 to ${VALIDATORS_MAX} validators`;
    throw wrong('too-many-nodes', `${message}; further nodes (up to ${MEMBERS_MAX}) can follow`);
  }
  if (host.length !== 1 && host.length !== nodes) {
    const message = `--host: give one for all or ${nodes}, one for each node`;
    throw wrong('hosts-missing', `${message}; there are ${host.length}`);
  }
  const used = new Map<string, number>();
  return Array.from({ length: nodes }, (_, index) => {
    const machine = host[host.length === 1 ? 0 : index]!;
    const before = used.get(machine) ?? 0;
    used.set(machine, before + 1);
    const port = firstPort + before;
    if (port > 65_535) throw wrong('port-out-of-range', `--first-port: ${port} is above 65535`);
    const name = `edge-${index + 1}`;
    return {
      name,
      folder: join(out, name),
      address: `${networkPart(machine)}/tcp/${port}`,
      listen: `${listenPart(machine)}/tcp/${port}`,
      mqttPort: MQTT_PORT + before,
      httpPort: HTTP_PORT + before,
    };
  });
}

function networkPart(host: string): string {
  if (isIPv4(host)) return `/ip4/${host}`;
  if (isIPv6(host)) return `/ip6/${host}`;
  const isName = host.length <= 150 && /^[a-z0-9]+(?:[.-][a-z0-9]+)*$/i.test(host);
  if (isName && !/^[\d.]+$/.test(host)) return `/dns4/${host}`;
  throw wrong('host-malformed', `--host ${host}: give an IP address or a host name`);
}

/** An address can be listened on as it is; a name may stand for one that only others see. */
function listenPart(host: string): string {
  return isIPv4(host) || isIPv6(host) ? networkPart(host) : '/ip4/0.0.0.0';
}

function configText({ name, folder, listen, mqttPort, httpPort }: PlannedNode, group: string) {
  const config = {
    id: name,
    group,
    data: join(folder, 'data'),
    mqtt: { host: '127.0.0.1', port: mqttPort },
    http: { host: '127.0.0.1', port: httpPort },
    ledger: { genesis: join(folder, 'genesis.toml'), listen: [listen] },
  };
  return [
    '# One edge node: diten edge --config <this file>',
    '# Where this folder moves, change two paths: "data", and "genesis" under [ledger].',
    '# Keep data/node-key.pem for this node alone: whoever has it votes in its name.',
    '',
    stringify(config),
  ].join('\n');
}

function requireEmpty(folder: string): void {
  let entries: string[];
  try {
    entries = existsSync(folder) ? readdirSync(folder) : [];
  } catch (cause) {
    throw wrong('folder-unusable', `--out ${folder}: ${(cause as Error).message}`);
  }
  if (entries.length === 0) return;
  throw wrong(
    'folder-not-empty',
    `--out ${folder} is not empty; give an empty or new folder, no key is overwritten`,
  );
}

function wrong(code: string, message: string): ProgramError {
  return new ProgramError(code, message, { exit: exitCode.usage });
}
