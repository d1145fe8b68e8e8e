import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import type { Clock } from '#runtime/clock/clock.ts';
import { systemClock } from '#runtime/clock/system-clock.ts';
import { createEvents, type Events } from '#runtime/observe/events.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { createMemoryNetwork } from '#runtime/peers/memory-network.ts';
import type { PeerNetwork } from '#runtime/peers/peer-network.ts';
import { exampleGenesis, exampleMember } from '#shared/ledger/chain.fixture.ts';
import { encodeGenesis, type Genesis } from '#shared/ledger/genesis.ts';
import type { TransactionContent } from '#shared/ledger/transaction.ts';
import type { ConsensusTiming } from './consensus/height-timers.ts';
import { LedgerNode, type LedgerNodeOptions } from './ledger-node.ts';
import { memberKeys } from './native-member.fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-cluster-'));
after(() => rmSync(folder, { recursive: true }));
let folders = 0;

/** Slow enough for a loaded machine, quick enough for a test. */
const testTiming: Partial<ConsensusTiming> = { proposeMs: 300, resendMs: 200 };

/** A genesis whose time is past on every machine. */
export function testGenesis(members: number): Genesis {
  const genesis = exampleGenesis({ members });
  return { ...genesis, timeMs: 1_700_000_000_000, clockToleranceMs: 10_000 };
}

export interface ClusterNode {
  readonly ledger: LedgerNode;
  readonly network: PeerNetwork;
  readonly events: Events;
}

/** Nodes on real files and a network in memory. */
export class Cluster implements AsyncDisposable {
  readonly genesis: Genesis;
  readonly hub = createMemoryNetwork();
  readonly path = join(folder, `${folders++}`);
  readonly clock: Clock;
  readonly timing: Partial<ConsensusTiming>;
  readonly #nodes = new Map<number, ClusterNode>();
  #vouchers = 0;

  constructor(members: number, { clock = systemClock, timing = testTiming } = {}) {
    this.genesis = testGenesis(members);
    this.clock = clock;
    this.timing = timing;
  }

  get nodes(): ClusterNode[] {
    return [...this.#nodes.values()];
  }

  file(n: number): string {
    return `${this.path}-${n}.sqlite`;
  }

  markerFile(n: number): string {
    return `${this.path}-${n}.json`;
  }

  start(n: number, changes: Partial<LedgerNodeOptions> = {}): ClusterNode {
    const events = createEvents(silentLog, this.clock);
    const key = exampleMember(n).peer;
    const network = this.hub.join({ key, clock: this.clock, log: silentLog });
    const ledger = new LedgerNode({
      file: this.file(n),
      markerFile: this.markerFile(n),
      genesis: encodeGenesis(this.genesis),
      keys: memberKeys(n),
      ...{ network, clock: this.clock, events, timing: this.timing },
      syncTiming: { statusMs: 300, graceMs: 50 },
      ...changes,
    });
    const node = { ledger, network, events };
    this.#nodes.set(n, node);
    return node;
  }

  startAll(): ClusterNode[] {
    return this.genesis.validators.map((_, n) => this.start(n));
  }

  async stop(n: number): Promise<void> {
    const node = this.#nodes.get(n);
    this.#nodes.delete(n);
    await node?.ledger[Symbol.asyncDispose]();
    await node?.network[Symbol.asyncDispose]();
  }

  /** A transaction that any edge node may send, another each time. */
  transaction(): TransactionContent {
    return taskDefinition(this.#vouchers++);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const n of [...this.#nodes.keys()]) await this.stop(n);
  }
}

export function taskDefinition(n: number): TransactionContent {
  const hex = n.toString(16).padStart(64, '0') as never;
  return { type: 'task.define', body: { task: hex, model: hex } };
}

/** Waits in turns of the event loop until the condition holds; the test's own timeout ends it. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 2));
}
