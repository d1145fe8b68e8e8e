import type { Clock } from '#runtime/clock/clock.ts';
import type { Events } from '#runtime/observe/events.ts';
import { PeerError, type PeerKey, type PeerNetwork } from '#runtime/peers/peer-network.ts';
import { type Failure, ok, type Result } from '#shared/basics/result.ts';
import type { VerifySignature } from '#shared/identity/signature.ts';
import type { ChainState } from '#shared/ledger/chain-state.ts';
import { type Certificate, checkCertificate } from '#shared/ledger/consensus/certificate.ts';
import type { SignatureCheck } from '#shared/ledger/consensus/evidence.ts';
import type { HeightInput, HeightState } from '#shared/ledger/consensus/height.ts';
import { decodeMessage } from '#shared/ledger/consensus/message-codec.ts';
import type { ConsensusMessage } from '#shared/ledger/consensus/resend.ts';
import { proposerOf } from '#shared/ledger/consensus/validator-set.ts';
import {
  isSameProposal,
  isSameVote,
  type Proposal,
  type Vote,
} from '#shared/ledger/consensus/vote.ts';
import { countOf, quorumsFor } from '#shared/ledger/consensus/vote-keeper.ts';
import { BlockFetcher } from './block-fetcher.ts';
import { decodeFrame, heightOf } from './consensus-frame.ts';
import { EarlyMessages } from './early-messages.ts';
import { createHeightChecks } from './height-checks.ts';
import { voterOf } from './peer-voters.ts';
import type { ProposedBlocks } from './proposed-blocks.ts';
import { type Rate, RateBudget } from './rate-budget.ts';

/** Two proposals for one round prove that their maker is faulty; more say nothing new. */
const PROPOSALS_MAX = 2;
/**
 * Of one peer. At 50 blocks a second there are some 300 messages, and a node that stood still finds
 * what a stream and its sender hold. What is sound, but late or known, costs time to find that out.
 */
const MESSAGES: Rate = { burst: 8192, perSecond: 1000 };
/**
 * Votes of one voter beyond the next round. The core keeps the newest of each voter only, but each
 * one that it took in lies in the write-ahead log until the height ends.
 */
const FAR_VOTES: Rate = { burst: 32, perSecond: 1 };

/** The engine as its gate sees it. */
export interface GateHost {
  chain(): ChainState;
  /** The height under way. */
  height(): HeightState;
  /** Whether messages have to wait. */
  isPaused(): boolean;
  /** Whether nothing can be taken in, since nothing can be written. */
  isBlocked(): boolean;
  /** Runs a task that the network brings about, and takes what it throws. */
  guard(task: () => void): void;
  /** Takes in what has been checked. */
  push(input: HeightInput): void;
  /** A good signature of `maker` has come in, over something of that height. */
  sawSignature(maker: string, height: number, signature: string): void;
  /** The peer seems to have decided more than this node, or as much more as a block. */
  peerIsAhead(peer: PeerKey): void;
  /** The peer is at a height that is decided. */
  peerIsBehind(peer: PeerKey): void;
}

/** Why a message is not taken in; `isWrong` where no correct peer sends the like. */
interface Fault {
  readonly code: string;
  readonly isWrong: boolean;
}

export interface GateOptions {
  readonly host: GateHost;
  readonly network: PeerNetwork;
  readonly clock: Clock;
  readonly events: Events;
  readonly blocks: ProposedBlocks;
  readonly verify: VerifySignature;
}

/**
 * What stands between the peers and the consensus core: nothing passes that is malformed, of
 * another height, or not signed by who it names. Who sends what no correct peer would is
 * penalised; who is merely late, early or repeats itself is not.
 */
export class ConsensusGate {
  readonly #host: GateHost;
  readonly #network: PeerNetwork;
  readonly #clock: Clock;
  readonly #events: Events;
  readonly #blocks: ProposedBlocks;
  readonly #verify: VerifySignature;
  readonly #early = new EarlyMessages();
  readonly #fetcher: BlockFetcher;
  /** How many proposals of a round have been judged. */
  readonly #judged = new Map<number, number>();
  readonly #messages: RateBudget;
  #far: RateBudget;
  #checks: SignatureCheck;

  constructor({ host, network, clock, events, blocks, verify }: GateOptions) {
    this.#host = host;
    this.#network = network;
    this.#clock = clock;
    this.#events = events;
    this.#blocks = blocks;
    this.#verify = verify;
    this.#messages = new RateBudget(clock, MESSAGES);
    this.#far = new RateBudget(clock, FAR_VOTES);
    this.#checks = this.#createChecks();
    network.onMessage((from, bytes) => host.guard(() => this.#hear(from, bytes)));
    this.#fetcher = new BlockFetcher(network, blocks);
  }

  /** Whether signatures are good, of this height. */
  get checks(): SignatureCheck {
    return this.#checks;
  }

  /** Peers that speak of a height which has not begun here. */
  earlyPeers(): Iterable<PeerKey> {
    return this.#early.peers();
  }

  /** The height has changed. */
  beginHeight(): void {
    this.#checks = this.#createChecks();
    this.#far = new RateBudget(this.#clock, FAR_VOTES);
    this.#judged.clear();
    this.takeEarly();
  }

  /** Looks again at what had to wait. */
  takeEarly(): void {
    for (const [from, bytes] of this.#early.takeAll()) this.#receive(from, bytes);
  }

  #createChecks(): SignatureCheck {
    const { chainId, roster } = this.#host.chain();
    return createHeightChecks(chainId, roster, this.#verify);
  }

  #hear(from: PeerKey, bytes: Uint8Array): void {
    if (this.#messages.spend(from)) this.#receive(from, bytes);
    else this.#note(from, wrong('messages-too-many'));
  }

  #receive(from: PeerKey, bytes: Uint8Array): void {
    const fault = this.#admit(from, bytes);
    if (fault !== undefined) this.#note(from, fault);
  }

  #admit(from: PeerKey, bytes: Uint8Array): Fault | undefined {
    if (this.#host.isBlocked()) return odd('message-while-blocked');
    if (!this.#isVoter(from)) return odd('message-of-no-validator');
    if (this.#host.isPaused()) return this.#putEarly(from, bytes);
    const frame = decodeFrame(bytes);
    if (!frame.ok) return wrong(frame.error.code);
    const message = decodeMessage(frame.value.message);
    if (!message.ok) return wrong(message.error.code);
    const ahead = heightOf(message.value) - this.#host.height().round.height;
    if (ahead === 0) return this.#take(from, message.value, frame.value.block);
    if (ahead === 1) return this.#putEarly(from, bytes);
    if (ahead > 1) this.#host.peerIsAhead(from);
    // A certificate may be an answer of this kind itself.
    else if (message.value.kind === 'vote') this.#host.peerIsBehind(from);
    return odd(ahead > 1 ? 'message-of-later-height' : 'message-of-old-height');
  }

  #isVoter(peer: PeerKey): boolean {
    const { roster, nextRoster } = this.#host.chain();
    return [roster, nextRoster].some((each) => voterOf(each, peer) !== undefined);
  }

  #putEarly(from: PeerKey, bytes: Uint8Array): Fault | undefined {
    return this.#early.put(from, bytes) ? undefined : odd('message-too-early');
  }

  #take(
    from: PeerKey,
    message: ConsensusMessage,
    block: Uint8Array | undefined,
  ): Fault | undefined {
    switch (message.kind) {
      case 'vote':
        return this.#takeVote(message.vote);
      case 'certificate':
        return this.#takeCertificate(from, message.certificate);
      case 'proposal':
        return this.#takeProposal(from, message.proposal, block);
    }
  }

  #takeVote(vote: Vote): Fault | undefined {
    const { validators, round } = this.#host.height();
    if (!validators.weights.has(vote.voter)) return wrong('vote-of-stranger');
    if (this.#isKept(vote)) return undefined;
    if (vote.round > round.round + 1 && !this.#far.spend(vote.voter)) return odd('vote-too-far');
    if (!this.#checks.vote(vote)) return wrong('wrong-signature');
    this.#host.sawSignature(vote.voter, vote.height, vote.signature);
    this.#host.push({ kind: 'vote', vote });
    return undefined;
  }

  #takeCertificate(from: PeerKey, certificate: Certificate): Fault | undefined {
    const { validators, proposals } = this.#host.height();
    if (this.#bringsNothing(certificate)) return undefined;
    const checked = checkCertificate(certificate, validators, this.#checks.vote);
    if (!checked.ok) return wrong(checked.error.code);
    for (const { voter, signature, height } of certificate.votes) {
      this.#host.sawSignature(voter, height, signature);
    }
    this.#host.push({ kind: 'certificate', certificate });
    if (certificate.kind !== 'commit') return undefined;
    const { round, value } = certificate;
    const isHere = proposals.some(
      ({ proposal }) => proposal.round === round && proposal.value === value,
    );
    if (!isHere) this.#host.peerIsAhead(from);
    return undefined;
  }

  #takeProposal(
    from: PeerKey,
    proposal: Proposal,
    block: Uint8Array | undefined,
  ): Fault | undefined {
    const { height, round, value, proposer, signature } = proposal;
    const { validators, proposals } = this.#host.height();
    if (proposer !== proposerOf(validators, height, round)) return wrong('proposal-out-of-turn');
    if (proposals.some((known) => isSameProposal(known.proposal, proposal))) return undefined;
    if (!this.#isOfUse(proposal)) return odd('proposal-not-of-use');
    if (!this.#checks.proposal(proposal)) return wrong('wrong-signature');
    this.#host.sawSignature(proposer, height, signature);
    let missing: readonly number[] | undefined;
    if (block !== undefined && !this.#blocks.has(value)) {
      const taken = this.#blocks.takeCompact(value, block);
      if (!taken.ok) return wrong(taken.error.code);
      missing = taken.value;
    }
    if (this.#blocks.has(value)) return this.#judge(from, proposal);
    if (this.#fetcher.isFetching(value)) return undefined;
    if (this.#fetcher.isFull) return odd('block-fetches-full');
    void this.#fetch(from, proposal, missing);
    return undefined;
  }

  /** Whether the core would keep it: of this round or the next, or what a quorum voted for. */
  #isOfUse({ round, value }: Proposal): boolean {
    const { round: now, votes, validators } = this.#host.height();
    const isWanted = (['prevote', 'precommit'] as const).some(
      (type) => quorumsFor(countOf(votes, type, round), value, validators).length > 0,
    );
    const others = this.#judged.get(round) ?? 0;
    return isWanted || (round <= now.round + 1 && others < PROPOSALS_MAX);
  }

  /** Lets the core have it, valid or not: a quorum may have voted for it all the same. */
  #judge(from: PeerKey, proposal: Proposal): Fault | undefined {
    const chain = this.#host.chain();
    if (!this.#isOfUse(proposal)) return odd('proposal-not-of-use');
    this.#judged.set(proposal.round, (this.#judged.get(proposal.round) ?? 0) + 1);
    const verdict = this.#blocks.judge(proposal.value);
    const { timeMs, proposer, height } = this.#blocks.block(proposal.value)!.header;
    const isNear = Math.abs(timeMs - this.#clock.nowMs()) <= chain.clockToleranceMs;
    const isOwn = proposal.validRound >= 0 || proposer === proposal.proposer;
    const timely = isNear && isOwn;
    this.#host.push({ kind: 'proposal', proposal, valid: verdict.ok, timely });
    if (!verdict.ok) {
      const { code, message: reason } = verdict.error;
      this.#events.record('warn', `block-${code}`, { height, reason, proposer });
      const isProposer = voterOf(chain.roster, from) === proposal.proposer;
      return isProposer ? wrong('proposal-invalid') : undefined;
    }
    if (!isOwn) return odd('proposal-of-anothers-block');
    return isNear ? undefined : odd('proposal-untimely');
  }

  /** Asks who sent the proposal for its block, or for the transactions missing in these places. */
  async #fetch(
    from: PeerKey,
    proposal: Proposal,
    places: readonly number[] | undefined,
  ): Promise<void> {
    try {
      const take = await this.#fetcher.fetch(from, { hash: proposal.value, places });
      this.#host.guard(() => this.#takeFetched(from, proposal, take));
    } catch (cause) {
      if (!(cause instanceof PeerError)) throw cause;
      this.#events.record('info', 'block-not-served', { peer: from, code: cause.code });
    }
  }

  #takeFetched(from: PeerKey, proposal: Proposal, take: () => Result<undefined, Failure>): void {
    const { value, height } = proposal;
    if (this.#host.height().round.height !== height || this.#host.isBlocked()) return;
    // Somebody else may have brought it in the meantime.
    const taken = this.#blocks.has(value) ? ok(undefined) : take();
    const fault = taken.ok ? this.#judge(from, proposal) : wrong(taken.error.code);
    if (fault !== undefined) this.#note(from, fault);
  }

  #isKept(vote: Vote): boolean {
    const { votes } = countOf(this.#host.height().votes, vote.type, vote.round);
    return votes.some((kept) => isSameVote(kept, vote));
  }

  /** Whether all its votes are counted, so that taking it in again would only fill the log. */
  #bringsNothing(certificate: Certificate): boolean {
    if (!certificate.votes.every((vote) => this.#isKept(vote))) return false;
    if (certificate.kind === 'entry') return true;
    const { votes, validators } = this.#host.height();
    const { kind, round, value } = certificate;
    const validRound = kind === 'polka' ? certificate.validRound : -1;
    const count = countOf(votes, kind === 'polka' ? 'prevote' : 'precommit', round);
    return quorumsFor(count, value, validators).some((tally) => tally.validRound === validRound);
  }

  #note(from: PeerKey, { code, isWrong }: Fault): void {
    this.#events.record(isWrong ? 'warn' : 'info', code, { peer: from });
    if (!isWrong) return;
    this.#early.forget(from);
    this.#network.penalise(from, code);
  }
}

function wrong(code: string): Fault {
  return { code, isWrong: true };
}

function odd(code: string): Fault {
  return { code, isWrong: false };
}
