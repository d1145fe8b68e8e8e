import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock as clock } from '#runtime/clock/system-clock.ts';
import { serveHttp } from '#runtime/http/serve-http.ts';
import { createEvents } from '#runtime/observe/events.ts';
import { silentLog } from '#runtime/observe/log.ts';
import type { PeerNetwork } from '#runtime/peers/peer-network.ts';
import { ok } from '#shared/basics/result.ts';
import { keyIdOf } from '#shared/identity/keys.ts';
import { exampleMember } from '#shared/ledger/chain.fixture.ts';
import { change } from '#shared/ledger/contract/state.ts';
import { apiOptions } from '../api/api.fixture.ts';
import { createApi } from '../api/api.ts';
import type { Command } from '../twins/control/command-sender.ts';
import { TwinStore } from '../twins/twin-store.ts';
import { answerForwarded } from './answer-forwarded.ts';
import { EdgeMap } from './edge-map.ts';
import { Forwarder } from './forwarder.ts';

/** The name of a member on the ledger of the tests. */
export const edgeName = (n: number): string => exampleMember(n).name;

export interface ForwardingNode extends AsyncDisposable {
  readonly twins: TwinStore;
  readonly url: string;
  readonly network: PeerNetwork;
  readonly forwarder: Forwarder;
  /** The ledger's state as this node has it. */
  readonly state: Map<string, never>;
  readonly edges: EdgeMap;
}

/**
 * Member `n` of as many as there are networks: twins, API and forwarding, beside a ledger's state
 * that the test writes. Its devices take as many milliseconds for a command as its payload says.
 */
export async function startForwardingNode(
  n: number,
  networks: readonly PeerNetwork[],
): Promise<ForwardingNode> {
  await using parts = new AsyncDisposableStack();
  const network = networks[n]!;
  const twins = parts.use(new TwinStore(':memory:', { group: 'lab', nowMs: 0 }));
  const events = createEvents(silentLog, clock);
  const state = new Map<string, never>();
  const members = networks.map(({ self }, each) => ({ ...exampleMember(each), peer: self }));
  const keyIds = members.map(({ publicKey }) => keyIdOf(publicKey));
  state.set(...(change('list', 'members', keyIds) as [string, never]));
  for (const [index, entry] of members.entries()) {
    const validator = { entry, sinceHeight: 0 };
    state.set(...(change('validator', keyIds[index]!, validator) as [string, never]));
  }
  const edges = new EdgeMap({ state, self: edgeName(n) });
  const forwarder = new Forwarder({ network, edges, clock, events });
  const commands = { send: (_: string, command: Command) => ok(reply(command)) };
  const api = createApi(apiOptions({ twins, clock, events, forwarder, commands }));
  answerForwarded({ network, edges, api, clock });
  const http = parts.use(await serveHttp(api.fetch, { host: '127.0.0.1', port: 0 }));
  const kept = parts.move();
  return {
    ...{ twins, url: http.url, network, forwarder, state, edges },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Lets the ledgers of some nodes say where a device's twin is. */
export function placeTwin(nodes: readonly ForwardingNode[], device: string, edge: number): void {
  const placed = change('twin', device, { edge: edgeName(edge), epoch: 1 });
  for (const { state, edges } of nodes) {
    state.set(...(placed as [string, never]));
    edges.committed(new Map([placed]));
  }
}

async function reply({ subject, payload, timeoutMs }: Command) {
  const takesMs = Number(payload);
  await sleep(Math.min(takesMs, timeoutMs));
  if (takesMs >= timeoutMs) return 'timed-out' as const;
  return { v: 1, id: '12345678', status: 200, payload: subject } as const;
}
