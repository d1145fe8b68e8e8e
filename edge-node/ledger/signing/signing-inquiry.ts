import { z } from 'zod';
import type { Events } from '#runtime/observe/events.ts';
import { PeerError, type PeerKey, type PeerNetwork } from '#runtime/peers/peer-network.ts';
import { decodeCanonical, encodeCanonical } from '#shared/codec/canonical.ts';
import { decodeCommit } from '#shared/ledger/commit-codec.ts';
import type { SignatureCheck } from '#shared/ledger/consensus/evidence.ts';
import type { HeightState } from '#shared/ledger/consensus/height.ts';
import { decodeMessage, encodeMessage } from '#shared/ledger/consensus/message-codec.ts';
import type { ConsensusMessage } from '#shared/ledger/consensus/resend.ts';
import { countOf } from '#shared/ledger/consensus/vote-keeper.ts';
import { voterOf, votersOf } from '../consensus/peer-voters.ts';
import type { LedgerStore } from '../store/ledger-store.ts';
import type { SigningPermit } from './signing-permit.ts';

const PROTOCOL = 'signed-by-you';
const TIMEOUT_MS = 2_000;
/** A proposal, votes of one round, twice from who equivocates, and one out of a commit. */
const MESSAGES_MAX = 7;

const answerSchema = z.strictObject({
  v: z.literal(1),
  height: z.int().min(0),
  messages: z.array(z.instanceof(Uint8Array)).max(MESSAGES_MAX),
});

export interface InquiryOptions {
  readonly network: PeerNetwork;
  readonly store: LedgerStore;
  readonly permit: SigningPermit;
  readonly events: Events;
  /** Key id of this validator. */
  readonly self: string;
  /** Checks this validator's own signatures, of whatever height. */
  readonly check: SignatureCheck;
  /** The height under way. */
  height(): HeightState;
  /** This validator made that signature, over something of that height. */
  sawSignature(height: number, signature: string): void;
  onAnswer(): void;
  /** Runs what follows on an answer, and takes what it throws. */
  guard(task: () => void): void;
}

/**
 * Asks the other validators what they have seen this one sign, and answers them: see
 * {@link SigningPermit} for what it is good for.
 */
export class SigningInquiry {
  readonly #options: InquiryOptions;
  readonly #asking = new Set<PeerKey>();

  constructor(options: InquiryOptions) {
    this.#options = options;
    options.network.answer(PROTOCOL, async (from) => this.#answer(from));
  }

  connected(): readonly PeerKey[] {
    return this.#options.network.connected();
  }

  /** Asks a validator that has not answered, if that is still of use. */
  ask(peer: PeerKey): void {
    const { store, permit } = this.#options;
    const voter = voterOf(store.chain.roster, peer);
    if (voter === undefined || !permit.needs(voter) || this.#asking.has(peer)) return;
    this.#asking.add(peer);
    void this.#ask(peer, voter).finally(() => this.#asking.delete(peer));
  }

  async #ask(peer: PeerKey, voter: string): Promise<void> {
    const { network, events, guard } = this.#options;
    try {
      const bytes = await network.request(peer, PROTOCOL, new Uint8Array(), TIMEOUT_MS);
      guard(() => this.#take(peer, voter, bytes));
    } catch (cause) {
      if (!(cause instanceof PeerError)) throw cause;
      events.record('info', 'signing-not-answered', { peer, code: cause.code });
    }
  }

  #take(peer: PeerKey, voter: string, bytes: Uint8Array): void {
    const { network, permit, onAnswer } = this.#options;
    const answer = this.#read(bytes);
    if (answer === undefined) {
      network.penalise(peer, 'signing-answer-wrong');
      return;
    }
    for (const message of answer.messages) this.#note(message);
    permit.answered(voter, answer.height);
    onAnswer();
  }

  /** The answer, if everything in it is signed by this validator. */
  #read(bytes: Uint8Array) {
    const { self, check } = this.#options;
    const decoded = decodeCanonical(bytes);
    const parsed = answerSchema.safeParse(decoded.ok ? decoded.value : undefined);
    if (!parsed.success) return undefined;
    const messages: ConsensusMessage[] = [];
    for (const encoded of parsed.data.messages) {
      const message = decodeMessage(encoded);
      if (!message.ok || !isSignedBy(message.value, self, check)) return undefined;
      messages.push(message.value);
    }
    return { height: parsed.data.height, messages };
  }

  #note(message: ConsensusMessage): void {
    if (message.kind === 'certificate') return;
    const { height, signature } = message.kind === 'vote' ? message.vote : message.proposal;
    this.#options.sawSignature(height, signature);
  }

  /** What the asking validator has signed of late, as far as this node knows. */
  #answer(from: PeerKey): Uint8Array {
    const { store, height } = this.#options;
    const { head, roster, nextRoster } = store.chain;
    const asker = votersOf(roster).get(from) ?? votersOf(nextRoster).get(from);
    const messages = asker === undefined ? [] : this.#signedBy(asker, height());
    const encoded = messages.slice(0, MESSAGES_MAX).map(encodeMessage);
    return encodeCanonical({ v: 1, height: head.height, messages: encoded });
  }

  #signedBy(asker: string, { votes, proposals }: HeightState): ConsensusMessage[] {
    const found: ConsensusMessage[] = [];
    for (const round of [...votes.rounds.keys()].sort((a, b) => b - a)) {
      for (const type of ['precommit', 'prevote'] as const) {
        for (const vote of countOf(votes, type, round).votes) {
          if (vote.voter === asker) found.push({ kind: 'vote', vote });
        }
      }
      if (found.length > 0) break;
    }
    const proposal = proposals.findLast((known) => known.proposal.proposer === asker)?.proposal;
    if (proposal !== undefined) found.push({ kind: 'proposal', proposal });
    const committed = this.#committedBy(asker);
    return committed === undefined ? found : [...found, committed];
  }

  #committedBy(asker: string): ConsensusMessage | undefined {
    const { store } = this.#options;
    const newest = store.block(store.chain.head.height);
    const commit = newest && decodeCommit(newest.commit);
    if (!commit?.ok) return undefined;
    const vote = commit.value.votes.find(({ voter }) => voter === asker);
    return vote && { kind: 'vote', vote };
  }
}

function isSignedBy(message: ConsensusMessage, self: string, check: SignatureCheck): boolean {
  switch (message.kind) {
    case 'vote':
      return message.vote.voter === self && check.vote(message.vote);
    case 'proposal':
      return message.proposal.proposer === self && check.proposal(message.proposal);
    case 'certificate':
      return false;
  }
}
