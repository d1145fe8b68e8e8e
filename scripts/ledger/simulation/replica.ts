import type { Random } from '#shared/basics/seeded-random.ts';
import { checkCertificate } from '#shared/ledger/consensus/certificate.ts';
import type { Evidence } from '#shared/ledger/consensus/evidence.ts';
import {
  createHeight,
  type HeightEffect,
  type HeightInput,
  type HeightState,
} from '#shared/ledger/consensus/height.ts';
import { type ConsensusMessage, messagesToResend } from '#shared/ledger/consensus/resend.ts';
import type { TimeoutStep } from '#shared/ledger/consensus/round-machine.ts';
import { guardSignature, type LastSigned, placeOf } from '#shared/ledger/consensus/sign-guard.ts';
import { stepHeight } from '#shared/ledger/consensus/step-height.ts';
import type { ValidatorSet } from '#shared/ledger/consensus/validator-set.ts';
import type {
  Proposal,
  UnsignedProposal,
  UnsignedVote,
  ValueId,
  Vote,
} from '#shared/ledger/consensus/vote.ts';
import type { VoteKeeper } from '#shared/ledger/consensus/vote-keeper.ts';
import { createSimulatedDisk, type Decision, type SimulatedDisk } from './simulated-disk.ts';
import {
  proposalText,
  signProposal,
  signVote,
  simulatedSignatures,
  voteText,
} from './simulated-signature.ts';

/** Messages of the next height that wait for this one to end. */
const EARLY_MAX = 200;

/** What a replica asks of the world it runs in. */
export interface ReplicaWorld {
  readonly validators: ValidatorSet;
  /** Called before each effect and each write: throws where the replica is to crash there. */
  mayCrash(replica: Replica): void;
  broadcast(from: Replica, messages: readonly ConsensusMessage[]): void;
  answer(from: Replica, to: Replica, messages: readonly ConsensusMessage[]): void;
  setTimer(replica: Replica, timer: Timer): void;
  /** The replica has decided a height, and is to begin the next one. */
  endsHeight(replica: Replica): void;
  newValue(replica: Replica): ValueId;
  judge(proposal: Proposal): { readonly valid: boolean; readonly timely: boolean };
  signed(replica: Replica, message: Vote | Proposal): void;
  decided(replica: Replica, decision: Decision): void;
  reported(replica: Replica, evidence: Evidence): void;
  failed(sentence: string): void;
}

export interface Timer {
  readonly height: number;
  readonly step: TimeoutStep;
  readonly round: number;
}

/** A validator's shell around the core, on one simulated machine: what a real one has to do. */
export class Replica {
  /** Differs from the address where two instances hold one key. */
  readonly instance: string;
  readonly address: string;
  readonly disk: SimulatedDisk = createSimulatedDisk();
  /** The votes it has seen, by height. */
  readonly archive = new Map<number, VoteKeeper>();
  readonly #world: ReplicaWorld;
  #decisions: Decision[] = [];
  #signed: LastSigned | undefined;
  #state: HeightState;
  #inbox: HeightInput[] = [];
  #early: ConsensusMessage[] = [];
  // Once each until the next time to resend: answers must not answer each other for ever.
  readonly #answered = new Set<Replica>();

  constructor(instance: string, address: string, world: ReplicaWorld) {
    this.instance = instance;
    this.address = address;
    this.#world = world;
    this.#state = createHeight(address, 1, world.validators);
  }

  get height(): number {
    return this.#decisions.length + 1;
  }

  /** The power goes: what is not on the disk is gone, and some of what was being written. */
  crash(random: Random): void {
    this.disk.crash(random);
    this.#inbox = [];
    this.#early = [];
  }

  /** Goes on from the disk: all inputs again, and all that they brought about. */
  start(): void {
    const { decisions, signed, inputs } = this.disk.recover();
    this.#decisions = [...decisions];
    this.#signed = signed;
    this.#state = createHeight(this.address, this.height, this.#world.validators);
    const effects: HeightEffect[] = [];
    for (const input of inputs) {
      const next = stepHeight(this.#state, input);
      this.#state = next.state;
      effects.push(...next.effects);
    }
    this.#perform(effects);
    this.begin();
  }

  /** Begins the height, if that has not been done. */
  begin(): void {
    if (this.#state.round.step === 'none') this.#inbox.push({ kind: 'start' });
    this.#drain();
  }

  receive(message: ConsensusMessage, from: Replica | undefined): void {
    const height = heightOf(message);
    if (height < this.height && message.kind === 'vote' && from !== undefined) {
      this.#sendDecision(height, from);
    }
    if (height === this.height + 1 && this.#early.length < EARLY_MAX) this.#early.push(message);
    if (height === this.height) this.#take(message);
  }

  timeout({ height, step, round }: Timer): void {
    if (height !== this.height) return;
    this.#inbox.push({ kind: 'timeout', step, round });
    this.#drain();
  }

  /** Tells the others again where it stands. */
  resend(): void {
    this.#answered.clear();
    this.#world.broadcast(this, messagesToResend(this.#state));
  }

  #take(message: ConsensusMessage): void {
    const input = this.#inputOf(message);
    if (input === undefined) return;
    this.#inbox.push(input);
    this.#drain();
  }

  #drain(): void {
    for (let input = this.#inbox.shift(); input !== undefined; input = this.#inbox.shift()) {
      this.#world.mayCrash(this);
      this.disk.write({ kind: 'input', input });
      const { state, effects } = stepHeight(this.#state, input);
      this.#state = state;
      this.archive.set(state.round.height, state.votes);
      if (effects.length === 0) continue;
      this.#world.mayCrash(this);
      this.disk.sync();
      this.#perform(effects);
    }
  }

  #perform(effects: readonly HeightEffect[]): void {
    const { height } = this;
    for (const effect of effects) {
      this.#world.mayCrash(this);
      if (this.height === height) this.#performOne(effect);
    }
  }

  #performOne(effect: HeightEffect): void {
    const world = this.#world;
    if (effect.kind === 'get-value') {
      this.#inbox.push({ kind: 'value', round: effect.round, value: world.newValue(this) });
    } else if (effect.kind === 'sign-vote') {
      this.#releaseVote(effect.vote);
    } else if (effect.kind === 'sign-proposal') {
      this.#releaseProposal(effect.proposal);
    } else if (effect.kind === 'schedule') {
      world.setTimer(this, { ...effect, height: this.height });
    } else if (effect.kind === 'send') {
      world.broadcast(this, [{ kind: 'certificate', certificate: effect.certificate }]);
    } else if (effect.kind === 'report') {
      world.reported(this, effect.evidence);
    } else {
      this.#commit(effect);
    }
  }

  #releaseVote(unsigned: UnsignedVote): void {
    if (!this.#maySign(unsigned, voteText(unsigned))) return;
    const vote = signVote(unsigned);
    this.#world.signed(this, vote);
    this.#world.broadcast(this, [{ kind: 'vote', vote }]);
    this.#inbox.push({ kind: 'vote', vote });
  }

  #releaseProposal(unsigned: UnsignedProposal): void {
    if (!this.#maySign(unsigned, proposalText(unsigned))) return;
    const proposal = signProposal(unsigned);
    this.#world.signed(this, proposal);
    this.#world.broadcast(this, [{ kind: 'proposal', proposal }]);
    this.#inbox.push({ kind: 'proposal', proposal, valid: true, timely: true });
  }

  /** Whether the signature may leave; one that is new is on the disk first. */
  #maySign(message: UnsignedVote | UnsignedProposal, digest: string): boolean {
    const place = placeOf(message);
    const guarded = guardSignature(this.#signed, place, digest);
    if (!guarded.ok) {
      const { code, message: what } = guarded.error;
      // What was signed follows from what was logged before, so a correct shell never asks twice.
      if (code === 'sign-conflict') {
        this.#world.failed(`${this.instance} asked for a second signature: ${what}`);
      }
      return false;
    }
    if (guarded.value === undefined) {
      this.#signed = { ...place, digest, signature: digest };
      this.disk.write({ kind: 'signed', signed: this.#signed });
      this.#world.mayCrash(this);
      this.disk.sync();
      this.#world.mayCrash(this);
    }
    return true;
  }

  #commit({ certificate, proposal }: Decision): void {
    const decision = { certificate, proposal };
    this.disk.write({ kind: 'decision', decision });
    this.#world.mayCrash(this);
    this.disk.sync();
    this.#decisions.push(decision);
    this.#world.decided(this, decision);
    this.#state = createHeight(this.address, this.height, this.#world.validators);
    const waiting = this.#early
      .map((message) => this.#inputOf(message))
      .filter((input) => input !== undefined);
    this.#early = [];
    this.#inbox = waiting;
    this.#world.endsHeight(this);
  }

  #sendDecision(height: number, to: Replica): void {
    if (this.#answered.has(to)) return;
    this.#answered.add(to);
    const { certificate, proposal } = this.#decisions[height - 1]!;
    this.#world.answer(this, to, [
      { kind: 'certificate', certificate },
      { kind: 'proposal', proposal },
    ]);
  }

  /** The message as an input, once its signatures are checked. */
  #inputOf(message: ConsensusMessage): HeightInput | undefined {
    switch (message.kind) {
      case 'vote':
        return simulatedSignatures.vote(message.vote) ? message : undefined;
      case 'certificate': {
        const { validators } = this.#world;
        const { certificate } = message;
        const checked = checkCertificate(certificate, validators, simulatedSignatures.vote);
        return checked.ok ? message : undefined;
      }
      case 'proposal': {
        const { proposal } = message;
        if (!simulatedSignatures.proposal(proposal)) return undefined;
        return { kind: 'proposal', proposal, ...this.#world.judge(proposal) };
      }
    }
  }
}

function heightOf(message: ConsensusMessage): number {
  switch (message.kind) {
    case 'vote':
      return message.vote.height;
    case 'proposal':
      return message.proposal.height;
    case 'certificate':
      return message.certificate.height;
  }
}
