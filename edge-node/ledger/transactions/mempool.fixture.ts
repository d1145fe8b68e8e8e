import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Clock } from '#runtime/clock/clock.ts';
import { systemClock } from '#runtime/clock/system-clock.ts';
import { verifyAccountNatively } from '#runtime/identity/native-verification.ts';
import { createEvents, type Events } from '#runtime/observe/events.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { createMemoryNetwork } from '#runtime/peers/memory-network.ts';
import type { PeerNetwork } from '#runtime/peers/peer-network.ts';
import { encodeCanonical, type Plain } from '#shared/codec/canonical.ts';
import type { AccountSigner } from '#shared/identity/account-key.ts';
import { ExampleChain, exampleGenesis, operator } from '#shared/ledger/chain.fixture.ts';
import { decodeTransaction, type EncodedTransaction } from '#shared/ledger/transaction.ts';
import { StoredNode, voucher } from '../stored-node.fixture.ts';
import { Mempool } from './mempool.ts';

/** Vouchers from number `first` on, as the signer's first transactions. */
export function signed(
  chain: ExampleChain,
  signer: AccountSigner,
  count: number,
  first = 0,
): EncodedTransaction[] {
  return Array.from({ length: count }, (_, i) =>
    chain.sign(signer, voucher(first + i), { signerSequence: i + 1 }),
  );
}

/** The same, with the signature of another. */
export function tampered(
  chain: ExampleChain,
  { transaction }: EncodedTransaction,
): EncodedTransaction {
  const { signature } = signed(chain, operator(3), 1, 40)[0]!.transaction;
  const decoded = decodeTransaction(encodeCanonical({ ...transaction, signature } as Plain));
  assert.ok(decoded.ok);
  return decoded.value;
}

/** Mempools of members 0 to `count` - 1 on one network; `join` adds a bare peer. */
export function cluster(t: TestContext, count: number, clock: Clock = systemClock) {
  const chain = new ExampleChain();
  const hub = createMemoryNetwork();
  const members = exampleGenesis().validators;
  const peers = new Map(members.map(({ peer }) => [peer, [`/memory/${peer}`]]));
  const join = (n: number): PeerNetwork => {
    const network = hub.join({ key: members[n]!.peer, clock, log: silentLog });
    network.setPeers(peers);
    t.after(() => network[Symbol.asyncDispose]());
    return network;
  };
  const networks: PeerNetwork[] = [];
  const counts: Events['counts'][] = [];
  const pools = Array.from({ length: count }, (_, n) => {
    const node = new StoredNode(chain, n);
    const network = join(n);
    networks.push(network);
    const events = createEvents(silentLog, clock);
    counts.push(events.counts);
    const options = { ledger: node.store, verify: verifyAccountNatively, clock, events, network };
    const pool = new Mempool(options);
    t.after(() => {
      pool[Symbol.dispose]();
      node[Symbol.dispose]();
    });
    return pool;
  });
  return { chain, hub, join, networks, pools, counts };
}
