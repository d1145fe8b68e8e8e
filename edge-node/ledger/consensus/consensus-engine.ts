import type { Clock } from '#runtime/clock/clock.ts';
import type { Events } from '#runtime/observe/events.ts';
import type { PeerKey, PeerNetwork } from '#runtime/peers/peer-network.ts';
import { assert, unreachable } from '#shared/basics/assert.ts';
import { type Failure, ok, type Result } from '#shared/basics/result.ts';
import { ed25519Of, type VerifyAccount } from '#shared/identity/account-key.ts';
import { type KeyId, keyIdOf } from '#shared/identity/keys.ts';
import type { Signer } from '#shared/identity/signature.ts';
import { canonicalCommit } from '#shared/ledger/commit-codec.ts';
import type { Commit } from '#shared/ledger/consensus/certificate.ts';
import type { Evidence } from '#shared/ledger/consensus/evidence.ts';
import {
  createHeight,
  type HeightEffect,
  type HeightInput,
  type HeightState,
} from '#shared/ledger/consensus/height.ts';
import { type ConsensusMessage, messagesToResend } from '#shared/ledger/consensus/resend.ts';
import { stepHeight } from '#shared/ledger/consensus/step-height.ts';
import type { UnsignedProposal, UnsignedVote } from '#shared/ledger/consensus/vote.ts';
import type { StagedBlock } from '#shared/ledger/execute-block.ts';
import { SigningAuthority } from '../signing/signing-authority.ts';
import type { PermitStatus } from '../signing/signing-permit.ts';
import type { LedgerStore } from '../store/ledger-store.ts';
import { ConsensusGate, type GateHost } from './consensus-gate.ts';
import { ConsensusSender } from './consensus-sender.ts';
import { checkDecided, type EncodedDecision } from './decided-block.ts';
import { DurableStep } from './durable-step.ts';
import { type ConsensusTiming, consensusTiming, HeightTimers } from './height-timers.ts';
import { ProposedBlocks, type TransactionSource } from './proposed-blocks.ts';
import { replayHeight } from './replay-height.ts';
import { encodeInput } from './stored-input.ts';

export interface EngineOptions {
  readonly store: LedgerStore;
  readonly network: PeerNetwork;
  /** The validator's own key. */
  readonly signer: Signer;
  readonly clock: Clock;
  readonly events: Events;
  readonly source: TransactionSource;
  readonly verify: VerifyAccount;
  /** Whether the store is known to be the last that this key signed by. */
  readonly isTrusted: boolean;
  readonly timing?: Partial<ConsensusTiming>;
  /** A block is decided, durable, and the head. */
  onDecided(staged: StagedBlock, commit: Commit): void;
  /** The validator may sign, or has turned out not to hold all that its key signed. */
  onPermit(status: 'signing' | 'observing' | 'stopped'): void;
  /** A validator has done what no correct one does. */
  report(evidence: Evidence): void;
  /** The peer seems to have blocks that this node has not. */
  peerIsAhead(peer: PeerKey): void;
}

/** How the validator is doing. */
export interface EngineStatus {
  readonly height: number;
  readonly round: number;
  readonly step: string;
  readonly signing: PermitStatus;
  /** Why nothing is written or signed at the moment, or any more. */
  readonly trouble: 'disk-full' | 'disk-failing' | 'failed' | undefined;
}

/** What came of the inputs that were taken in together. */
interface Turn {
  readonly messages: ConsensusMessage[];
  readonly evidence: Evidence[];
  decision: Extract<HeightEffect, { kind: 'decide' }> | undefined;
}

function newTurn(): Turn {
  return { messages: [], evidence: [], decision: undefined };
}

/**
 * A validator around the consensus core: what it takes in, signs and decides is on the disk before
 * anybody else sees anything of it. All that has arrived is taken in as one turn, own signatures
 * included; the turn is written in one transaction; then its messages go out. A turn that decides
 * is written by the transaction that commits the block.
 */
export class ConsensusEngine implements Disposable {
  readonly self: KeyId;
  readonly #options: EngineOptions;
  readonly #store: LedgerStore;
  readonly #authority: SigningAuthority;
  readonly #gate: ConsensusGate;
  readonly #sender: ConsensusSender;
  readonly #blocks: ProposedBlocks;
  readonly #timers: HeightTimers;
  readonly #disk: DurableStep;
  #state: HeightState;
  #inbox: HeightInput[] = [];
  /** Taken in, and not on the disk yet. */
  #unsaved: HeightInput[] = [];
  /** Whether there is a reason to begin the height: others have, or it is time. */
  #isWanted = false;
  #isTurnDue = false;
  #isWriting = false;
  #isClosed = false;
  #failure: unknown;

  constructor(options: EngineOptions) {
    const { store, network, signer, clock, events, source, timing } = options;
    const verify = ed25519Of(options.verify);
    this.#options = options;
    this.#store = store;
    this.self = keyIdOf(signer.publicKey);
    this.#state = this.#newHeight();
    this.#disk = new DurableStep({ clock, events, guard: (task) => this.#guarded(task) });
    this.#timers = new HeightTimers(clock, { ...consensusTiming, ...timing });
    this.#blocks = new ProposedBlocks(store, source, options.verify);
    const blocks = this.#blocks;
    this.#sender = new ConsensusSender({ network, store, blocks });
    this.#authority = new SigningAuthority({
      ...{ store, network, signer, verify, events, isTrusted: options.isTrusted },
      height: () => this.#state,
      onChange: (before) => this.#permitChanged(before),
      guard: (task) => this.#guarded(task),
    });
    this.#gate = new ConsensusGate({ host: this.#host(), network, clock, events, blocks, verify });
    network.onConnection((peer, isConnected) => {
      if (isConnected) this.#guarded(() => this.#meet(peer));
    });
  }

  get status(): EngineStatus {
    const { height, round, step } = this.#state.round;
    const trouble = this.#failure === undefined ? this.#disk.trouble : 'failed';
    return { height, round, step, signing: this.#authority.status, trouble };
  }

  /** Takes in again what the disk says was taken in, what was signed then among it; then begins. */
  start(): void {
    const inputs = this.#store.inputs();
    const recall = (input: HeightInput) => this.#authority.recall(input);
    const { state, effects } = replayHeight(this.#state, inputs, recall);
    this.#state = state;
    // What was signed is among the inputs; what was decided or found out may not have been told.
    const turn = newTurn();
    for (const effect of effects) {
      if (effect.kind === 'decide' || effect.kind === 'report') this.#perform(effect, turn);
    }
    const { scheduled, round } = this.#state;
    for (const step of scheduled) this.#schedule(step, round.round);
    this.#timers.heartbeat(() => this.#beat());
    this.#timers.every(() => this.#guarded(() => this.#tick()));
    this.#authority.askAll();
    setImmediate(() => {
      this.#guarded(() => this.#finish(turn));
      this.#guarded(() => this.#authority.review());
    });
  }

  /** There may be something to put into a block. */
  wake(): void {
    if (this.#isTurnDue || this.#isClosed) return;
    this.#isTurnDue = true;
    setImmediate(() => {
      this.#isTurnDue = false;
      this.#guarded(() => this.#runTurns());
    });
  }

  /** Commits a block that others decided, as {@link checkDecided}; throws where the disk fails. */
  applyDecided(decision: EncodedDecision): Result<StagedBlock, Failure> {
    assert(!this.#isStuck && !this.#isWriting, 'a block is applied while others can be');
    const isSigned = this.#gate.checks.vote;
    const checked = checkDecided(decision, this.#store.chain, { blocks: this.#blocks, isSigned });
    if (!checked.ok) return checked;
    const { staged, commit } = checked.value;
    for (const { voter, signature, height } of commit.votes) {
      this.#authority.sawSignature(voter, height, signature);
    }
    this.#commit(staged, commit);
    this.#advance(staged, commit);
    return ok(staged);
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#timers[Symbol.dispose]();
    this.#disk[Symbol.dispose]();
  }

  /** The engine as its gate sees it. */
  #host(): GateHost {
    return {
      chain: () => this.#store.chain,
      height: () => this.#state,
      isPaused: () => this.#authority.isPending,
      isBlocked: () => this.#isStuck,
      guard: (task) => this.#guarded(task),
      push: (input) => this.#push(input),
      sawSignature: (maker, height, signature) =>
        this.#authority.sawSignature(maker, height, signature),
      peerIsAhead: (peer) => this.#options.peerIsAhead(peer),
      peerIsBehind: (peer) => this.#sender.sendHead(peer),
    };
  }

  get #isStuck(): boolean {
    return this.#isClosed || this.#failure !== undefined || this.#disk.trouble !== undefined;
  }

  get #isVoting(): boolean {
    return this.#state.validators.weights.has(this.self);
  }

  #newHeight(): HeightState {
    const { head, roster } = this.#store.chain;
    return createHeight(this.self, head.height + 1, roster.validators);
  }

  #push(input: HeightInput): void {
    this.#inbox.push(input);
    this.#isWanted = true;
    this.wake();
  }

  #permitChanged(before: PermitStatus): void {
    const { status } = this.#authority;
    if (status !== 'asking') this.#options.onPermit(status);
    if (before === 'asking') this.#gate.takeEarly();
    this.wake();
  }

  #runTurns(): void {
    if (this.#isStuck || this.#isWriting || this.#authority.isPending) return;
    this.#beginIfDue();
    if (this.#inbox.length === 0) return;
    const turn = newTurn();
    if (this.#state.awaitsValue) this.#provideValue(this.#state.round.round);
    for (let input = this.#inbox.shift(); input !== undefined; input = this.#inbox.shift()) {
      this.#step(input, turn);
      if (turn.decision !== undefined) break;
    }
    this.#finish(turn);
  }

  /** No height begins before there is something to say. */
  #beginIfDue(): void {
    if (this.#state.round.step !== 'none') return;
    const hasNews = this.#isVoting && this.#options.source.size > 0;
    if (hasNews || this.#isWanted) this.#inbox.unshift({ kind: 'start' });
  }

  #step(input: HeightInput, turn: Turn): void {
    if (input.kind === 'timeout' && input.round !== this.#state.round.round) return;
    const { state, effects } = stepHeight(this.#state, input);
    if (state === this.#state) return;
    this.#state = state;
    this.#unsaved.push(input);
    for (const effect of effects) this.#perform(effect, turn);
  }

  #perform(effect: HeightEffect, turn: Turn): void {
    switch (effect.kind) {
      case 'get-value':
        this.#provideValue(effect.round);
        break;
      case 'sign-vote':
        this.#sign(effect.vote, turn);
        break;
      case 'sign-proposal':
        this.#sign(effect.proposal, turn);
        break;
      case 'schedule':
        this.#schedule(effect.step, effect.round);
        break;
      case 'send':
        turn.messages.push({ kind: 'certificate', certificate: effect.certificate });
        break;
      case 'report':
        turn.evidence.push(effect.evidence);
        break;
      case 'decide':
        turn.decision = effect;
        break;
      default:
        unreachable(effect);
    }
  }

  #provideValue(round: number): void {
    if (!this.#authority.maySign) return;
    const value = this.#blocks.make(Math.floor(this.#options.clock.nowMs()), this.self);
    this.#inbox.push({ kind: 'value', round, value });
  }

  #sign(unsigned: UnsignedVote | UnsignedProposal, turn: Turn): void {
    const signed = this.#authority.sign(unsigned);
    if (signed === undefined) return;
    turn.messages.push(signed);
    this.#inbox.push(signed.kind === 'vote' ? signed : { ...signed, valid: true, timely: true });
  }

  #schedule(step: Parameters<HeightTimers['schedule']>[0], round: number): void {
    this.#timers.schedule(step, round, () => this.#push({ kind: 'timeout', step, round }));
  }

  /** Writes the turn, then lets it out. */
  #finish(turn: Turn): void {
    const { decision } = turn;
    if (decision !== undefined) {
      const verdict = this.#blocks.judge(decision.certificate.value);
      assert(verdict.ok, 'what is decided was judged valid');
      const commit = canonicalCommit(decision.certificate, this.#gate.checks.vote);
      this.#write(
        () => this.#commit(verdict.value, commit),
        () => {
          this.#release(turn);
          this.#advance(verdict.value, commit);
        },
      );
    } else {
      const write = turn.messages.length > 0 ? () => this.#persist() : () => undefined;
      this.#write(write, () => this.#release(turn));
    }
  }

  #write(write: () => void, then: () => void): void {
    this.#isWriting = true;
    this.#disk.run(write, () => {
      this.#isWriting = false;
      this.#guarded(then);
      this.wake();
    });
  }

  #persist(): void {
    const inputs = this.#unsaved.map(encodeInput);
    const { unsaved: blocks } = this.#blocks;
    this.#store.persist({ inputs, blocks, signed: this.#authority.newest });
    this.#unsaved = [];
    this.#blocks.saved();
  }

  #commit(staged: StagedBlock, commit: Commit): void {
    const block = this.#blocks.bytes(staged.hash)!;
    this.#store.commit(staged, { block, commit }, this.#authority.newest);
  }

  #release({ messages, evidence }: Turn): void {
    this.#sender.broadcast(messages);
    for (const each of evidence) this.#options.report(each);
  }

  /** A block is on the disk: the next height. */
  #advance(staged: StagedBlock, commit: Commit): void {
    this.#timers.clear();
    this.#blocks.clear();
    this.#authority.forgetHeight();
    this.#inbox = [];
    this.#unsaved = [];
    this.#isWanted = false;
    this.#state = this.#newHeight();
    this.#timers.heartbeat(() => this.#beat());
    this.#authority.review();
    this.#gate.beginHeight();
    this.#options.onDecided(staged, commit);
    this.wake();
  }

  #beat(): void {
    this.#isWanted = this.#isVoting;
    this.wake();
  }

  /** Tells the others again where this node stands, and looks for what it may have missed. */
  #tick(): void {
    if (this.#isStuck) return;
    this.#sender.forgetTold();
    this.#authority.askAll();
    for (const peer of this.#gate.earlyPeers()) this.#options.peerIsAhead(peer);
    if (this.#authority.isPending || this.#isWriting) return;
    if (this.#state.round.step !== 'none') this.#sender.resend(messagesToResend(this.#state));
  }

  #meet(peer: PeerKey): void {
    if (this.#isStuck) return;
    this.#authority.ask(peer);
    if (this.#authority.isPending || this.#isWriting) return;
    if (this.#state.round.step !== 'none') this.#sender.resend(messagesToResend(this.#state), peer);
  }

  /** Nothing goes on after an error that no retry can mend; what is committed stays readable. */
  #guarded(task: () => void): void {
    if (this.#isClosed || this.#failure !== undefined) return;
    try {
      task();
    } catch (cause) {
      this.#failure = cause;
      this.#timers.clear();
      this.#options.events.record('error', 'consensus-failed', { reason: `${cause}` });
    }
  }
}
