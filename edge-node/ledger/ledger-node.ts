import type { Clock } from '#runtime/clock/clock.ts';
import { verifyAccountNatively, verifyRawNatively } from '#runtime/identity/native-verification.ts';
import type { NodeKeys } from '#runtime/identity/node-keys.ts';
import type { Events } from '#runtime/observe/events.ts';
import { createNoNetwork } from '#runtime/peers/no-network.ts';
import type { PeerKey, PeerNetwork } from '#runtime/peers/peer-network.ts';
import type { Failure, Result } from '#shared/basics/result.ts';
import { accountSignerOf } from '#shared/identity/account-key.ts';
import { keyIdOf } from '#shared/identity/keys.ts';
import type { Head } from '#shared/ledger/chain-state.ts';
import type { Evidence } from '#shared/ledger/consensus/evidence.ts';
import { evidenceBody } from '#shared/ledger/contract/evidence.ts';
import type { StateView } from '#shared/ledger/contract/state.ts';
import type { StagedBlock } from '#shared/ledger/execute-block.ts';
import {
  type EncodedTransaction,
  signTransaction,
  type TransactionContent,
} from '#shared/ledger/transaction.ts';
import { ConsensusEngine, type EngineStatus } from './consensus/consensus-engine.ts';
import type { ConsensusTiming } from './consensus/height-timers.ts';
import { Checkpoints } from './proofs/checkpoints.ts';
import { SigningMarker } from './signing/signing-marker.ts';
import { ledgerRefusals } from './store/ledger-refusals.ts';
import { LedgerStore, type StoredBlock } from './store/ledger-store.ts';
import { BlockSync, type SyncTiming } from './sync/block-sync.ts';
import { Mempool, type Receipt } from './transactions/mempool.ts';

/** How many heights a transaction of this node's own may wait for its block. */
const HEIGHTS_TO_WAIT = 10_000;

export interface LedgerNodeOptions {
  readonly file: string;
  /** Beside the key: see {@link SigningMarker}. */
  readonly markerFile: string;
  /** Encoded. */
  readonly genesis: Uint8Array;
  readonly keys: Omit<NodeKeys, 'peerSeed'>;
  /** A node alone has none. */
  readonly network?: PeerNetwork;
  readonly clock: Clock;
  readonly events: Events;
  readonly timing?: Partial<ConsensusTiming>;
  readonly syncTiming?: Partial<SyncTiming>;
}

export interface LedgerStatus extends EngineStatus {
  readonly head: Head;
  readonly stateDigest: string;
  /** Transactions that wait for a block. */
  readonly pending: number;
  /** The height that others have, as far as is known. */
  readonly knownHeight: number;
  /** How many other members are connected. */
  readonly peers: number;
}

/**
 * This node's part in the ledger: opens the file, follows the others' blocks, and votes where it is
 * a validator. Errors as {@link LedgerStore} and {@link SigningMarker}, and (exit 78)
 * `ledger-not-the-last`.
 */
export class LedgerNode implements AsyncDisposable {
  readonly mempool: Mempool;
  readonly checkpoints: Checkpoints;
  readonly #options: LedgerNodeOptions;
  readonly #network: PeerNetwork;
  readonly #store: LedgerStore;
  readonly #engine: ConsensusEngine;
  readonly #sync: BlockSync;
  readonly #handlers: ((staged: StagedBlock) => void)[] = [];
  #isClosed = false;

  constructor(options: LedgerNodeOptions) {
    const { keys, clock, events, timing } = options;
    this.#options = options;
    const network = options.network ?? createNoNetwork(keys.peer);
    this.#network = network;
    this.#store = openStore(options);
    const store = this.#store;
    try {
      const marker = openMarker(options, store);
      const verify = verifyAccountNatively;
      this.mempool = new Mempool({ ledger: store, verify, clock, events, network });
      this.#engine = new ConsensusEngine({
        ...{ store, network, clock, events, verify, timing: timing ?? {} },
        signer: keys.validator,
        source: this.mempool,
        isTrusted: marker.isTrusted,
        onDecided: (staged) => this.#decided(staged),
        onPermit: (status) => (status === 'signing' ? marker.renew() : marker.distrust()),
        report: (evidence) => void this.#report(evidence),
        peerIsAhead: (peer) => this.#sync.hint(peer),
      });
      this.#sync = this.#startSync();
      const verifyRaw = verifyRawNatively;
      this.checkpoints = new Checkpoints({
        ...{ ledger: store, keys, verify: verifyRaw, clock, events, network },
      });
      this.mempool.onArrival(() => this.#engine.wake());
      this.#engine.start();
      this.#admitPeers();
    } catch (cause) {
      store[Symbol.dispose]();
      throw cause;
    }
  }

  get head(): Head {
    return this.#store.chain.head;
  }

  /** As the newest block left it. */
  get state(): StateView {
    return this.#store.state;
  }

  get store(): LedgerStore {
    return this.#store;
  }

  status(): LedgerStatus {
    const { head, stateDigest } = this.#store.chain;
    return {
      ...this.#engine.status,
      ...{ head, stateDigest, pending: this.mempool.size },
      knownHeight: this.#sync.knownHeight,
      peers: this.#network.connected().length,
    };
  }

  /** Signs a transaction as this node; waits and fails as {@link submitEncoded}. */
  async submit(content: TransactionContent): Promise<Result<Receipt, Failure>> {
    const { keys } = this.#options;
    const { chainId, head } = this.#store.chain;
    const signerSequence = this.mempool.nextSequence(keyIdOf(keys.validator.publicKey));
    const notAfterHeight = head.height + HEIGHTS_TO_WAIT;
    const place = { chainId, signerSequence, notAfterHeight };
    const signed = signTransaction(content, place, accountSignerOf(keys.validator));
    return signed.ok ? this.mempool.submit(signed.value) : signed;
  }

  /** Waits for the block that has the transaction; fails where it is refused, or dropped later. */
  submitEncoded(transaction: EncodedTransaction): Promise<Result<Receipt, Failure>> {
    return this.mempool.submit(transaction);
  }

  /** Calls the handler after each block is committed, in order. */
  onCommit(handler: (staged: StagedBlock) => void): void {
    this.#handlers.push(handler);
  }

  /** The decided blocks from a height on, read as they are asked for. */
  blocks(fromHeight: number): Generator<StoredBlock> {
    return this.#store.blocks(fromHeight);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#engine[Symbol.dispose]();
    this.mempool[Symbol.dispose]();
    this.checkpoints[Symbol.dispose]();
    await this.#sync[Symbol.asyncDispose]();
    this.#store[Symbol.dispose]();
  }

  #startSync(): BlockSync {
    const { clock, events, syncTiming = {} } = this.#options;
    const [store, engine] = [this.#store, this.#engine];
    const ledger = {
      chainId: store.chain.chainId,
      get head() {
        return store.chain.head;
      },
      get roster() {
        return store.chain.roster;
      },
      get isVoting() {
        return store.chain.roster.keys.has(engine.self);
      },
      decision: (height: number) => (this.#isClosed ? undefined : store.block(height)),
      applyDecided: engine.applyDecided.bind(engine),
    };
    return new BlockSync({ network: this.#network, ledger, clock, events, timing: syncTiming });
  }

  #decided(staged: StagedBlock): void {
    const { block, outcomes, chain } = staged;
    const { height } = chain.head;
    this.mempool.committed({ height, transactions: block.transactions, outcomes });
    this.checkpoints.committed();
    this.#sync.headMoved();
    if ([...staged.writes.keys()].some((key) => key.startsWith('validator/'))) this.#admitPeers();
    for (const handler of this.#handlers) {
      // What others make of a block must not keep this node from the next one.
      try {
        handler(staged);
      } catch (cause) {
        this.#options.events.record('error', 'commit-handler-failed', { reason: `${cause}` });
      }
    }
  }

  /** Whoever takes part in the next heights may connect. */
  #admitPeers(): void {
    const { roster, nextRoster } = this.#store.chain;
    const peers = new Map<PeerKey, readonly string[]>();
    for (const { peer, addresses } of [...roster.members, ...nextRoster.members]) {
      peers.set(peer, addresses);
    }
    this.#network.setPeers(peers);
  }

  async #report(evidence: Evidence): Promise<void> {
    const { events } = this.#options;
    events.record('error', `evidence-${evidence.kind}`);
    const submitted = await this.submit({ type: 'evidence', body: evidenceBody(evidence) });
    if (!submitted.ok) events.record('warn', 'evidence-not-taken', { ...submitted.error });
  }
}

function openStore({ file, genesis, keys }: LedgerNodeOptions): LedgerStore {
  return new LedgerStore({ file, genesis, validator: keyIdOf(keys.validator.publicKey) });
}

function openMarker({ markerFile, keys }: LedgerNodeOptions, store: LedgerStore): SigningMarker {
  const { run, runsBefore, lastSigned, chain } = store;
  const hasSigned = lastSigned !== undefined;
  const marker = new SigningMarker(markerFile, {
    ...{ genesis: chain.genesis, run, runsBefore, hasSigned },
  });
  const self = keyIdOf(keys.validator.publicKey);
  const isAlone = chain.roster.keys.size === 1 && chain.roster.keys.has(self);
  if (isAlone && !marker.isTrusted) throw ledgerRefusals(store.file).notTheLast(markerFile);
  return marker;
}
