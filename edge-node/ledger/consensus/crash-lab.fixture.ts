import { appendFileSync, copyFileSync, existsSync, statSync, truncateSync } from 'node:fs';
import { createManualClock, type ManualClock } from '#runtime/clock/manual-clock.ts';
import { verifyAccountNatively } from '#runtime/identity/native-verification.ts';
import { createEvents, type Events } from '#runtime/observe/events.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { createNoNetwork } from '#runtime/peers/no-network.ts';
import type { PeerKey, PeerNetwork } from '#runtime/peers/peer-network.ts';
import { encodeCanonical } from '#shared/codec/canonical.ts';
import type { Signer } from '#shared/identity/signature.ts';
import type { Evidence } from '#shared/ledger/consensus/evidence.ts';
import { encodeMessage } from '#shared/ledger/consensus/message-codec.ts';
import type { ConsensusMessage } from '#shared/ledger/consensus/resend.ts';
import type { StagedBlock } from '#shared/ledger/execute-block.ts';
import type { EncodedTransaction } from '#shared/ledger/transaction.ts';
import { LedgerStore, type LedgerStoreOptions, type TurnRecord } from '../store/ledger-store.ts';
import { ConsensusEngine } from './consensus-engine.ts';
import { encodeFrame } from './consensus-frame.ts';
import type { TransactionSource } from './proposed-blocks.ts';

/** What becomes of a file when its machine stops. */
export type Loss = 'kill' | 'lost write' | 'torn write';

/** Counts the places where the machine may stop, and stops it at one of them. */
export class CrashPoints {
  count = 0;
  readonly #stopAt: number;
  readonly #onCrash: (isCommitted: boolean) => void;
  isCrashed = false;
  /** Whether it stopped right after a transaction. */
  isCommitted = false;

  constructor(stopAt: number, onCrash: (isCommitted: boolean) => void) {
    this.#stopAt = stopAt;
    this.#onCrash = onCrash;
  }

  /** `isCommitted` right after a transaction, of which nobody can have seen anything yet. */
  pass(isCommitted = false): void {
    if (this.isCrashed) throw new Error('the machine is off');
    if (++this.count !== this.#stopAt) return;
    this.#onCrash(isCommitted);
    this.isCrashed = true;
    this.isCommitted = isCommitted;
    throw new Error('the power went');
  }
}

/** The real store; before and after each transaction the machine may stop. */
class CrashingStore extends LedgerStore {
  readonly #points: CrashPoints;
  readonly #beforeWrite: () => void;

  constructor(options: LedgerStoreOptions, points: CrashPoints, beforeWrite: () => void) {
    super(options);
    this.#points = points;
    this.#beforeWrite = beforeWrite;
  }

  override persist(record: TurnRecord): void {
    this.#around(() => super.persist(record));
  }

  override commit(...args: Parameters<LedgerStore['commit']>): void {
    this.#around(() => super.commit(...args));
  }

  #around(write: () => void): void {
    this.#points.pass();
    this.#beforeWrite();
    write();
    this.#points.pass(true);
  }
}

export interface MachineOptions {
  readonly file: string;
  readonly genesis: Uint8Array;
  readonly signer: Signer;
  readonly validator: LedgerStoreOptions['validator'];
  readonly peers: readonly PeerKey[];
  readonly self: PeerKey;
  readonly startMs: number;
  /** What this validator would put into a block. */
  readonly transactions: () => EncodedTransaction[];
  /** What the peers show it of its own signatures when it starts. */
  readonly shown: () => readonly ConsensusMessage[];
  readonly peersHeight: () => number;
  /** Something leaves the machine. */
  readonly onSent: (to: PeerKey, frame: Uint8Array) => void;
  readonly onPenalised?: (peer: PeerKey, code: string) => void;
  readonly onReport?: (evidence: Evidence) => void;
  /** Before each transaction: throws where the disk is to fail. */
  readonly onWrite?: () => void;
  readonly onAhead?: (peer: PeerKey) => void;
  /** Stops at this point; never where it is 0 or not said. */
  readonly stopAt?: number;
  readonly loss?: Loss;
  /** Where the files are left as the crash leaves them. */
  readonly left?: string;
}

/** One validator with all its ports, each of which may be the last it uses. */
export class Machine implements Disposable {
  readonly engine: ConsensusEngine;
  readonly store: LedgerStore;
  readonly clock: ManualClock;
  readonly events: Events;
  readonly points: CrashPoints;
  readonly decided: StagedBlock[] = [];
  readonly #options: MachineOptions;
  #receive: ((from: PeerKey, frame: Uint8Array) => void)[] = [];
  #walSizeBefore = 0;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.points = new CrashPoints(options.stopAt ?? 0, (isCommitted) => this.#leave(isCommitted));
    this.clock = createManualClock(options.startMs);
    this.events = createEvents(silentLog, this.clock);
    const { genesis, validator, file } = options;
    this.store = new CrashingStore({ file, genesis, validator }, this.points, () => {
      options.onWrite?.();
      this.#walSizeBefore = statSync(`${file}-wal`).size;
    });
    this.engine = new ConsensusEngine({
      store: this.store,
      network: this.#network(),
      signer: this.#signer(options.signer),
      clock: this.#clock(),
      events: this.events,
      source: this.#source(),
      verify: verifyAccountNatively,
      isTrusted: true,
      onDecided: (staged) => {
        this.points.pass();
        this.decided.push(staged);
      },
      onPermit: () => this.points.pass(),
      report: (evidence) => {
        this.points.pass();
        options.onReport?.(evidence);
      },
      peerIsAhead: (peer) => {
        this.points.pass();
        options.onAhead?.(peer);
      },
    });
    this.#survive(() => this.engine.start());
  }

  /** A message from a peer, which is taken in before this returns. */
  async hear(from: PeerKey, message: ConsensusMessage, block?: Uint8Array): Promise<void> {
    await this.hearBytes(from, encodeFrame({ message: encodeMessage(message), block }));
  }

  async hearBytes(from: PeerKey, frame: Uint8Array): Promise<void> {
    if (this.points.isCrashed) return;
    for (const receive of this.#receive) this.#survive(() => receive(from, frame));
    await this.settle();
  }

  async settle(): Promise<void> {
    for (let i = 0; i < 4; i++) await new Promise(setImmediate);
  }

  async pass(durationMs: number): Promise<void> {
    if (!this.points.isCrashed) this.#survive(() => this.clock.advance(durationMs));
    await this.settle();
  }

  [Symbol.dispose](): void {
    this.engine[Symbol.dispose]();
    this.store[Symbol.dispose]();
  }

  /** A crash is the machine's own affair. */
  #survive(task: () => void): void {
    try {
      task();
    } catch (cause) {
      if (!this.points.isCrashed) throw cause;
    }
  }

  #network(): PeerNetwork {
    const { peers, self, onSent, onPenalised, shown, peersHeight } = this.#options;
    const { points } = this;
    return {
      ...createNoNetwork(self),
      connected() {
        points.pass();
        return peers;
      },
      send(to, frame) {
        points.pass();
        onSent(to, frame);
        points.pass();
        return true;
      },
      onMessage: (handler) => void this.#receive.push(handler),
      request: async () => {
        this.#survive(() => points.pass());
        if (points.isCrashed) return new Promise(() => undefined);
        const messages = shown().map(encodeMessage);
        return encodeCanonical({ v: 1, height: peersHeight(), messages });
      },
      penalise(peer, code) {
        if (onPenalised !== undefined) onPenalised(peer, code);
        else if (!points.isCrashed) throw new Error(`a correct peer was penalised: ${code}`);
      },
    };
  }

  #signer({ publicKey, sign }: Signer): Signer {
    return {
      publicKey,
      sign: (context, message) => {
        this.points.pass();
        const signature = sign(context, message);
        this.points.pass();
        return signature;
      },
    };
  }

  #clock(): ManualClock {
    return {
      ...this.clock,
      nowMs: () => {
        this.points.pass();
        return this.clock.nowMs();
      },
      after: (delayMs, task) => {
        this.points.pass();
        return this.clock.after(delayMs, task);
      },
    };
  }

  #source(): TransactionSource {
    const { transactions } = this.#options;
    return {
      get size() {
        return transactions().length;
      },
      candidates: () => {
        this.points.pass();
        return transactions();
      },
      known: () => undefined,
      isSpread: () => false,
      isVerified: () => false,
      drop: () => undefined,
    };
  }

  /** Copies the files as the crash leaves them. */
  #leave(isCommitted: boolean): void {
    const { file, left = `${file}.left`, loss = 'kill' } = this.#options;
    copyFileSync(file, left);
    const wal = `${left}-wal`;
    if (!existsSync(`${file}-wal`)) return;
    copyFileSync(`${file}-wal`, wal);
    if (loss === 'kill') return;
    const { size } = statSync(wal);
    if (isCommitted) {
      // The commit had not come to its end, so nobody was told of anything that follows from it.
      const kept = loss === 'lost write' ? 0 : Math.floor((size - this.#walSizeBefore) / 2);
      truncateSync(wal, this.#walSizeBefore + kept);
    } else if (loss === 'torn write') {
      appendFileSync(wal, Buffer.alloc(2000, 0x5a));
    }
  }
}
