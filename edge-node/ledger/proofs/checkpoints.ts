import type { Clock } from '#runtime/clock/clock.ts';
import type { Events } from '#runtime/observe/events.ts';
import { PeerError, type PeerKey, type PeerNetwork } from '#runtime/peers/peer-network.ts';
import { assert } from '#shared/basics/assert.ts';
import { bytesEqual } from '#shared/basics/bytes.ts';
import { fail, type Result } from '#shared/basics/result.ts';
import type { VerifyRaw } from '#shared/identity/signature.ts';
import type { ChainState } from '#shared/ledger/chain-state.ts';
import type { Validator } from '#shared/ledger/genesis.ts';
import { policyOf } from '#shared/ledger/log/chain-policy.ts';
import {
  cosignCheckpoint,
  cosignerNameOf,
  originOf,
  signCheckpoint,
} from '#shared/ledger/log/checkpoint.ts';
import { type LogFrontier, type LogHash, rootOf } from '#shared/ledger/log/merkle-log.ts';
import type { NoteSigner } from '#shared/ledger/log/note-key.ts';
import { decodeNote } from '#shared/ledger/log/signed-note.ts';
import { decodePolicy, type TlogPolicy } from '#shared/ledger/log/tlog-policy.ts';
import { trustCheckpoint } from '#shared/ledger/log/trusted-checkpoint.ts';
import {
  type Cosignature,
  Cosignatures,
  decodeCosignature,
  encodeCosignature,
  isCosigned,
} from './cosignatures.ts';
import { proveRecord, type RecordProofFailure } from './record-proof.ts';

const PROTOCOL = 'checkpoint';

/**
 * Of blocks that come faster than this, those are cosigned whose time falls into another interval
 * than their predecessor's: all validators choose the same, and so meet on them.
 */
const INTERVAL_MS = 100;

/** A block whose time is so long ago comes of catching up: its checkpoint would interest nobody. */
const FRESH_MS = 2_000;

/** A head of the log that a quorum has cosigned, as `encodeNote` wrote it. */
export interface StoredCheckpoint {
  readonly size: number;
  /** The height at which the quorum was complete. */
  readonly height: number;
  readonly note: string;
}

/** The ledger as checkpoints see it. */
export interface CheckpointedLedger {
  readonly chain: ChainState;
  logNode(level: number, index: number): LogHash | undefined;
  logEntry(index: number): Uint8Array | undefined;
  /** Where the log has a transaction. */
  transaction(digest: string): { readonly logIndex: number } | undefined;
  newestCheckpoint(): StoredCheckpoint | undefined;
  putCheckpoint(checkpoint: StoredCheckpoint): void;
}

export interface CheckpointOptions {
  readonly ledger: CheckpointedLedger;
  readonly keys: { readonly log: NoteSigner; readonly cosigner: NoteSigner };
  readonly verify: VerifyRaw;
  readonly clock: Clock;
  readonly events: Events;
  /** A node alone has none. */
  readonly network?: PeerNetwork;
}

/**
 * Cosigns the heads of the log, if this node is a validator, and gathers the others' cosignatures
 * until the newest head has a quorum of them. What of a record's proof rests on this node is only
 * that it exists: who verifies it trusts the quorum.
 */
export class Checkpoints implements Disposable {
  readonly #ledger: CheckpointedLedger;
  readonly #keys: CheckpointOptions['keys'];
  readonly #verify: VerifyRaw;
  readonly #clock: Clock;
  readonly #events: Events;
  readonly #network: PeerNetwork | undefined;
  readonly #cosignatures: Cosignatures;
  /** Peers that are being told, and whether there is something newer to tell them since. */
  readonly #telling = new Map<PeerKey, boolean>();
  #policy: { readonly roster: string; readonly policy: TlogPolicy } | undefined;
  #own: { readonly cosignature: Cosignature; readonly roster: string } | undefined;
  #cancelTimer: (() => void) | undefined;
  #timeMs: number;
  #isClosed = false;

  /** Cosigns the present head at once; answers peers from now on. */
  constructor({ ledger, keys, verify, clock, events, network }: CheckpointOptions) {
    this.#ledger = ledger;
    this.#keys = keys;
    this.#verify = verify;
    this.#clock = clock;
    this.#events = events;
    this.#network = network;
    this.#timeMs = ledger.chain.head.timeMs;
    this.#cosignatures = new Cosignatures(ledger.chain.chainId);
    network?.answer(PROTOCOL, async (from, body) => this.#answer(from, body));
    network?.onConnection((peer, isConnected) => {
      if (isConnected) this.#tell(peer);
    });
    this.#cosign();
    for (const peer of network?.connected() ?? []) this.#tell(peer);
  }

  /** To be called when a block was committed. */
  committed(): void {
    const { timeMs } = this.#ledger.chain.head;
    const isChosen = intervalOf(timeMs) !== intervalOf(this.#timeMs);
    this.#timeMs = timeMs;
    if (isChosen && this.#clock.nowMs() - timeMs < FRESH_MS) {
      this.#cosign();
      return;
    }
    this.#cancelTimer ??= this.#clock.after(INTERVAL_MS, () => this.#cosign());
  }

  /** The newest head of the log that a quorum has cosigned. */
  newest(): StoredCheckpoint | undefined {
    return this.#ledger.newestCheckpoint();
  }

  /** The tlog-policy of the present validators, against which {@link proofFor} verifies. */
  policyText(): string {
    const { chainId, roster } = this.#ledger.chain;
    return policyOf(chainId, roster);
  }

  /**
   * The C2SP tlog-proof of a record against the newest checkpoint, by the digest of its transaction
   * or its index in the log.
   */
  proofFor(record: string | number): Result<string, RecordProofFailure> {
    const index = typeof record === 'number' ? record : this.#ledger.transaction(record)?.logIndex;
    if (index !== undefined) return proveRecord(this.#ledger, index);
    return fail('record-unknown', `the ledger has no record ${record}; is it committed here?`);
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
  }

  #cosign(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const { chain } = this.#ledger;
    const { size } = chain.log;
    const member = this.#self();
    const isSame = this.#own?.cosignature.size === size && this.#own.roster === chain.roster.digest;
    if (this.#isClosed || size === 0 || (isSame && this.newest()?.size === size)) return;
    if (member !== undefined) {
      // Told again where no quorum came of it: somebody may not have heard.
      const cosignature = isSame ? this.#own!.cosignature : this.#sign(member);
      this.#own = { cosignature, roster: chain.roster.digest };
      this.#cosignatures.put(member, cosignature);
      for (const peer of this.#network?.connected() ?? []) this.#tell(peer);
    }
    this.#cosignatures.keepOnly(chain.roster);
    this.#conclude();
  }

  #sign({ name }: Validator): Cosignature {
    const { chainId, log } = this.#ledger.chain;
    const checkpoint = { origin: originOf(chainId), size: log.size, root: rootOf(log) };
    const cosigner = { signer: this.#keys.cosigner, timeMs: this.#clock.nowMs() };
    return {
      v: 1,
      size: checkpoint.size,
      root: checkpoint.root,
      logSignature: signCheckpoint(checkpoint, this.#keys.log).bytes,
      cosignature: cosignCheckpoint(checkpoint, cosignerNameOf(name, chainId), cosigner).bytes,
    };
  }

  /** Exchanges the newest cosignatures with a peer, one request at a time: the newest counts. */
  #tell(peer: PeerKey): void {
    if (this.#isClosed || this.#network === undefined) return;
    const isTelling = this.#telling.has(peer);
    this.#telling.set(peer, isTelling);
    if (!isTelling) void this.#exchange(this.#network, peer);
  }

  async #exchange(network: PeerNetwork, peer: PeerKey): Promise<void> {
    do {
      this.#telling.set(peer, false);
      try {
        this.#take(peer, await network.request(peer, PROTOCOL, this.#ownBytes()));
      } catch (error) {
        if (!(error instanceof PeerError)) throw error;
        this.#events.record('info', 'checkpoint-not-told', { peer, code: error.code });
      }
    } while (this.#telling.get(peer) === true && !this.#isClosed);
    this.#telling.delete(peer);
  }

  #answer(from: PeerKey, body: Uint8Array): Uint8Array {
    const refused = this.#take(from, body);
    if (refused !== undefined) throw new PeerError(refused, 'the cosignature was not taken');
    return this.#ownBytes();
  }

  /** Nothing, where there is nothing to tell. */
  #ownBytes(): Uint8Array {
    return this.#own === undefined ? new Uint8Array(0) : encodeCosignature(this.#own.cosignature);
  }

  /** Takes a peer's cosignature; the code of what is wrong with it. */
  #take(peer: PeerKey, bytes: Uint8Array): string | undefined {
    if (bytes.length === 0 || this.#isClosed) return undefined;
    const { chainId, roster, log } = this.#ledger.chain;
    const decoded = decodeCosignature(bytes);
    if (!decoded.ok) return this.#penalise(peer, decoded.error.code);
    const validator = roster.members.find((member) => member.peer === peer && member.weight > 0);
    if (validator === undefined) {
      // It may be one already at a height that this node has not reached, or have been one.
      this.#events.record('info', 'cosigner-unknown', { peer });
      return 'cosigner-unknown';
    }
    const cosignature = decoded.value;
    if (this.#cosignatures.has(validator, cosignature)) return undefined;
    if (!isCosigned(cosignature, validator, { chainId, verify: this.#verify })) {
      return this.#penalise(peer, 'cosignature-wrong');
    }
    const { size, root } = cosignature;
    if (size <= log.size && !bytesEqual(root, this.#rootAt(size)))
      return this.#fork(validator, size);
    this.#cosignatures.put(validator, cosignature);
    this.#conclude();
    return undefined;
  }

  /** Stores the newest head that by now has a quorum. */
  #conclude(): void {
    const { chain } = this.#ledger;
    const stored = this.newest();
    const isTrusted = stored !== undefined && this.#isTrusted(stored.note);
    for (const size of this.#cosignatures.sizes(chain.log.size)) {
      // The same size again where the validators have changed since.
      if (stored !== undefined && (size < stored.size || (size === stored.size && isTrusted)))
        return;
      const root = this.#rootAt(size);
      const { note, forked } = this.#cosignatures.noteOf({ size, root }, chain.roster);
      for (const validator of forked) {
        this.#cosignatures.drop(validator, size);
        this.#fork(validator, size);
      }
      if (note === undefined || !this.#isTrusted(note)) continue;
      this.#store({ size, height: chain.head.height, note });
      return;
    }
  }

  #store(checkpoint: StoredCheckpoint): void {
    try {
      this.#ledger.putCheckpoint(checkpoint);
    } catch (error) {
      // A disk that is full may have room for the next one.
      this.#events.record('error', 'checkpoint-not-stored', { error: `${error}` });
    }
  }

  #isTrusted(note: string): boolean {
    const decoded = decodeNote(note);
    // Each signature was verified when it came; what is to be counted here is the quorum.
    return decoded.ok && trustCheckpoint(decoded.value, this.#presentPolicy(), () => true).ok;
  }

  #presentPolicy(): TlogPolicy {
    const { roster } = this.#ledger.chain;
    if (this.#policy?.roster !== roster.digest) {
      const decoded = decodePolicy(this.policyText());
      assert(decoded.ok, 'a roster makes a policy');
      this.#policy = { roster: roster.digest, policy: decoded.value };
    }
    return this.#policy.policy;
  }

  /** The root that the log had at a size up to the present one. */
  #rootAt(size: number): LogHash {
    const { log } = this.#ledger.chain;
    return size === log.size ? rootOf(log) : rootOf(this.#frontierAt(size));
  }

  #frontierAt(size: number): LogFrontier {
    const hashes: LogHash[] = [];
    let begin = 0;
    for (let level = Math.floor(Math.log2(size)); level >= 0; level--) {
      const count = 2 ** level;
      if (size - begin < count) continue;
      hashes.push(this.#node(level, begin / count));
      begin += count;
    }
    return { size, hashes };
  }

  #node(level: number, index: number): LogHash {
    const hash = this.#ledger.logNode(level, index);
    assert(hash !== undefined, `the log's node ${index} at level ${level} is stored`);
    return hash;
  }

  /** This node among the validators; undefined where it follows only. */
  #self(): Validator | undefined {
    const { log, cosigner } = this.#keys;
    return this.#ledger.chain.roster.members.find(
      (member) =>
        member.weight > 0 && member.log === log.publicKey && member.cosigner === cosigner.publicKey,
    );
  }

  /** A validator signed another log than the one a quorum decided: this one's, or its own. */
  #fork({ name, peer }: Validator, size: number): string {
    this.#events.record('error', 'checkpoint-forked', { validator: name, size });
    return this.#penalise(peer, 'checkpoint-forked');
  }

  #penalise(peer: PeerKey, code: string): string {
    this.#network?.penalise(peer, code);
    return code;
  }
}

function intervalOf(timeMs: number): number {
  return Math.floor(timeMs / INTERVAL_MS);
}
