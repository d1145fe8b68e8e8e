import { StoredNode } from '#edge-node/ledger/stored-node.fixture.ts';
import { assert } from '#shared/basics/assert.ts';
import { accountIdOf, accountSignerOf } from '#shared/identity/account-key.ts';
import { digestOf } from '#shared/identity/digest.ts';
import {
  ExampleChain,
  exampleMember,
  member,
  operator,
  other,
} from '#shared/ledger/chain.fixture.ts';
import {
  checkpointText,
  cosignCheckpoint,
  cosignerNameOf,
  originOf,
  signCheckpoint,
} from '#shared/ledger/log/checkpoint.ts';
import { seededNoteSigner } from '#shared/ledger/log/log.fixture.ts';
import { rootOf } from '#shared/ledger/log/merkle-log.ts';
import { encodeNote } from '#shared/ledger/log/signed-note.ts';
import type { TransactionContent } from '#shared/ledger/transaction.ts';

const CHECKPOINT_MS = 1_795_000_100_000;

export const task = digestOf(Uint8Array.of(1));
export const version = digestOf(Uint8Array.of(3));
export const device = 'mote-1';

/**
 * Writes the ledger of the first of four validators: a device, a task, its first version and one
 * transaction that is rejected, then a block without a checkpoint that covers it.
 */
export function writeExampleLedger(file: string): ExampleChain {
  const chain = new ExampleChain();
  const node = accountSignerOf(member(0));
  const enrol = { device, key: accountSignerOf(other(1)).key, voucher: null, replaces: false };
  chain.commit(chain.sign(operator(0), { type: 'device.enrol', body: enrol }));
  chain.commit(
    chain.sign(node, {
      type: 'task.define',
      body: { task, model: digestOf(Uint8Array.of(2)) },
    }),
    chain.sign(operator(0), { type: 'device.enrol', body: enrol }),
  );
  chain.commit(chain.sign(node, firstVersion(accountIdOf(node.key))));
  using stored = new StoredNode(chain, 0, file);
  stored.follow(chain);
  stored.store.putCheckpoint({ ...checkpoint(chain), height: chain.chain.head.height });
  const reason = 'lost\u001b[31m';
  chain.commit(chain.sign(operator(0), { type: 'device.suspend', body: { device, reason } }));
  stored.follow(chain);
  assert(stored.head.height === 4, 'all is in the file');
  return chain;
}

function firstVersion(aggregator: ReturnType<typeof accountIdOf>): TransactionContent {
  const body = {
    ...{ task, round: 0, digest: version, parents: [], contributions: [], aggregator },
    ...{ rule: 'fed-avg', metrics: { loss: '0.25' } },
  };
  return { type: 'model.version', body };
}

/** Cosigned by three of the four. */
function checkpoint({ chain }: ExampleChain): { size: number; note: string } {
  const { chainId, log } = chain;
  const head = { origin: originOf(chainId), size: log.size, root: rootOf(log) };
  const cosigned = [0, 1, 2].map((n) => {
    const signer = seededNoteSigner(215 + n);
    const name = cosignerNameOf(exampleMember(n).name, chainId);
    return cosignCheckpoint(head, name, { signer, timeMs: CHECKPOINT_MS });
  });
  const signatures = [signCheckpoint(head, seededNoteSigner(230)), ...cosigned];
  return { size: log.size, note: encodeNote({ text: checkpointText(head), signatures }) };
}
