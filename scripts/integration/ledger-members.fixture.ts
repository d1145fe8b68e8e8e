import assert from 'node:assert/strict';
import { join } from 'node:path';
import { LedgerNode, type LedgerNodeOptions } from '#edge-node/ledger/ledger-node.ts';
import { openPayloadDatabase } from '#edge-node/ledger/payloads/payload-file.ts';
import { PayloadStore } from '#edge-node/ledger/payloads/payload-store.ts';
import { readGenesis } from '#edge-node/ledger/store/genesis-file.ts';
import { systemClock } from '#runtime/clock/system-clock.ts';
import { type NodeKeys, openNodeKeys } from '#runtime/identity/node-keys.ts';
import { openSigningKey } from '#runtime/identity/signing-key.ts';
import { createEvents, type Events } from '#runtime/observe/events.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { startLibp2pNetwork } from '#runtime/peers/libp2p-network.ts';
import type { PeerKey, PeerLimits, PeerNetwork } from '#runtime/peers/peer-network.ts';
import { accountSignerOf } from '#shared/identity/account-key.ts';
import { keyIdOf } from '#shared/identity/keys.ts';
import { decodeGenesis, type Genesis } from '#shared/ledger/genesis.ts';
import {
  type EncodedTransaction,
  signTransaction,
  type TransactionContent,
} from '#shared/ledger/transaction.ts';
import { freePorts } from '../free-ports.ts';
import { initLedger } from '../ledger/init-ledger.ts';
import { until } from './deadline.ts';

export interface Member extends AsyncDisposable {
  readonly ledger: LedgerNode;
  readonly network: PeerNetwork;
  readonly payloads: PayloadStore;
  readonly events: Events;
  /** How often a code occurred, in its own events and its network's. */
  count(code: string): number;
}

const LIMITS: Partial<PeerLimits> = { penaltyMs: 150, redialMsMin: 20, redialMsMax: 150 };

/** Members of a chain in this process, with real key files, over libp2p on loopback. */
export class LedgerMembers implements AsyncDisposable {
  readonly folder: string;
  readonly genesis: Genesis;
  readonly #encoded: Uint8Array;
  readonly #parts = new AsyncDisposableStack();

  private constructor(folder: string, genesisFile: string) {
    this.folder = folder;
    this.#encoded = readGenesis(genesisFile);
    const decoded = decodeGenesis(this.#encoded);
    assert.ok(decoded.ok);
    this.genesis = decoded.value;
  }

  static async create(folder: string, count: number): Promise<LedgerMembers> {
    const ports = await freePorts(count);
    const members = ports.map((port, n) => ({
      name: `edge-${n + 1}`,
      dataFolder: join(folder, `edge-${n + 1}`),
      addresses: [`/ip4/127.0.0.1/tcp/${port}`],
    }));
    const timeMs = Date.now() - 1000;
    return new LedgerMembers(folder, initLedger({ folder, chainId: 'site', timeMs, members }));
  }

  keys(n: number): NodeKeys {
    return openNodeKeys(join(this.folder, `edge-${n + 1}`, 'node-key.pem'));
  }

  /** Everybody's addresses. */
  get peers(): ReadonlyMap<PeerKey, readonly string[]> {
    return new Map(this.genesis.validators.map(({ peer, addresses }) => [peer, addresses]));
  }

  /** Only the network of a member: what it says is the test's to choose. */
  async join(n: number, limits: Partial<PeerLimits> = {}): Promise<PeerNetwork> {
    const network = await startLibp2pNetwork({
      seed: this.keys(n).peerSeed,
      listen: this.genesis.validators[n]!.addresses,
      limits: { ...LIMITS, ...limits },
      ...{ clock: systemClock, log: silentLog },
    });
    return this.#parts.use(network);
  }

  async start(n: number, changes: Partial<LedgerNodeOptions> = {}): Promise<Member> {
    const network = await this.join(n);
    const events = createEvents(silentLog, systemClock);
    const folder = join(this.folder, `edge-${n + 1}`);
    const database = openPayloadDatabase(join(folder, 'payloads.sqlite'));
    const payloads = new PayloadStore({ database, events, network });
    const ledger = new LedgerNode({
      file: join(folder, 'ledger.sqlite'),
      markerFile: join(folder, 'node-key.signing'),
      genesis: this.#encoded,
      keys: this.keys(n),
      ...{ network, clock: systemClock, events },
      timing: { proposeMs: 300, resendMs: 200 },
      syncTiming: { statusMs: 200, graceMs: 50, requestTimeoutMs: 1000 },
      ...changes,
    });
    const count = (code: string) => (events.counts()[code] ?? 0) + (network.counters()[code] ?? 0);
    const dispose = async () => {
      await ledger[Symbol.asyncDispose]();
      payloads[Symbol.dispose]();
      await network[Symbol.asyncDispose]();
    };
    const member = { ledger, network, payloads, events, count, [Symbol.asyncDispose]: dispose };
    return this.#parts.use(member);
  }

  /** The operator's first transaction. */
  sign(content: TransactionContent, chainId = 'site'): EncodedTransaction {
    const operator = accountSignerOf(openSigningKey(join(this.folder, 'operator-key.pem')));
    const place = { chainId, signerSequence: 1, notAfterHeight: 1_000_000 };
    const signed = signTransaction(content, place, operator);
    assert.ok(signed.ok);
    return signed.value;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#parts.disposeAsync();
  }
}

let tasks = 0;

/** A transaction that any member may send, another each time. */
export function anyTransaction(): TransactionContent {
  const hex = (++tasks).toString(16).padStart(64, '0') as never;
  return { type: 'task.define', body: { task: hex, model: hex } };
}

/** Has each member commit something, and waits until all have come to the same. */
export async function goOn(members: readonly Member[]): Promise<void> {
  for (const { ledger } of members) {
    const receipt = await ledger.submit(anyTransaction());
    assert.ok(receipt.ok && receipt.value.outcome === 'accepted');
  }
  const height = Math.max(...members.map(({ ledger }) => ledger.head.height));
  await until(() => members.every(({ ledger }) => ledger.head.height >= height));
  const hashes = members.map(({ ledger }) => ledger.store.block(height)!.hash);
  assert.equal(new Set(hashes).size, 1);
}

export function voterOf(members: LedgerMembers, n: number): string {
  return keyIdOf(members.genesis.validators[n]!.publicKey);
}
