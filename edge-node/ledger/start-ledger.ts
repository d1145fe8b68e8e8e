import type { Clock } from '#runtime/clock/clock.ts';
import type { DataFolder } from '#runtime/database/data-folder.ts';
import { openNodeKeys } from '#runtime/identity/node-keys.ts';
import type { Events } from '#runtime/observe/events.ts';
import type { Log } from '#runtime/observe/log.ts';
import { startLibp2pNetwork } from '#runtime/peers/libp2p-network.ts';
import { createNoNetwork } from '#runtime/peers/no-network.ts';
import type { PeerNetwork } from '#runtime/peers/peer-network.ts';
import { assert } from '#shared/basics/assert.ts';
import { keyIdOf } from '#shared/identity/keys.ts';
import { readState, type StateView, type StateWrites } from '#shared/ledger/contract/state.ts';
import { decodeGenesis } from '#shared/ledger/genesis.ts';
import type { EdgeConfig } from '../edge-config.ts';
import type { LearningLedger } from '../federation/learning-ledger.ts';
import { LedgerNode } from './ledger-node.ts';
import { openPayloadDatabase } from './payloads/payload-file.ts';
import { PayloadStore } from './payloads/payload-store.ts';
import { ownGenesis, readGenesis } from './store/genesis-file.ts';

export interface StartLedgerOptions {
  readonly config: EdgeConfig;
  readonly folder: DataFolder;
  readonly clock: Clock;
  readonly events: Events;
  readonly log: Log;
}

/** The ledger of one edge node, and what belongs to it. */
export interface StartedLedger extends AsyncDisposable {
  readonly ledger: LedgerNode;
  readonly payloads: PayloadStore;
  readonly network: PeerNetwork;
  /** The ledger as this node writes to it, under its name among the members. */
  readonly member: LearningLedger;
}

/**
 * Opens this node's ledger and payloads and connects it to the other members. Without a genesis in
 * the configuration it is a chain of its own, with one validator.
 */
export async function startLedger(options: StartLedgerOptions): Promise<StartedLedger> {
  const { config, folder, clock, events, log } = options;
  await using parts = new AsyncDisposableStack();
  const keys = openNodeKeys(folder.file('node-key.pem'));
  const timeMs = Math.floor(clock.nowMs());
  const genesis =
    config.ledger.genesis === undefined
      ? ownGenesis(folder.file('genesis.toml'), {
          ...{ keys, timeMs, chainId: config.group, name: config.id },
        })
      : readGenesis(config.ledger.genesis);
  const { listen, heartbeatMs, payloadsSizeBytesMax } = config.ledger;
  const decoded = decodeGenesis(genesis);
  assert(decoded.ok, 'a genesis that was read is well-formed');
  const { validators } = decoded.value;
  const isAlone = validators.length === 1 && listen.length === 0;
  const network = parts.use(
    isAlone
      ? createNoNetwork(keys.peer)
      : await startLibp2pNetwork({ seed: keys.peerSeed, listen, clock, log }),
  );
  const payloads = parts.use(
    new PayloadStore({
      database: openPayloadDatabase(folder.file('payloads.sqlite')),
      ...{ events, network, limits: { totalBytesMax: payloadsSizeBytesMax } },
    }),
  );
  const ledger = parts.use(
    new LedgerNode({
      file: folder.file('ledger.sqlite'),
      markerFile: folder.file('node-key.signing'),
      timing: { heartbeatMs },
      ...{ genesis, keys, network, clock, events },
    }),
  );
  const keyId = keyIdOf(keys.validator.publicKey);
  const name = readState(ledger.state, 'validator', keyId)?.entry.name ?? config.id;
  const kept = parts.move();
  return {
    ...{ ledger, payloads, network, member: asMember(ledger, { name, keyId }) },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Whether a device was enrolled once, and is not to connect any more. */
export function isBarred(state: StateView, device: string): boolean {
  const status = readState(state, 'device', device)?.status;
  return status !== undefined && status !== 'active';
}

/** The devices that these changes suspend or revoke. */
export function barredBy(state: StateView, writes: StateWrites): string[] {
  return [...writes.keys()]
    .filter((key) => key.startsWith('device/'))
    .map((key) => key.slice('device/'.length))
    .filter((device) => isBarred(state, device));
}

function asMember(ledger: LedgerNode, node: LearningLedger['node']): LearningLedger {
  return {
    node,
    state: ledger.state,
    submit: (content) => ledger.submit(content),
    onCommit: (handler) => ledger.onCommit(handler),
  };
}
