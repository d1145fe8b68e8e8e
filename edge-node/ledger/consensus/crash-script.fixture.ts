import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verifyAccountNatively } from '#runtime/identity/native-verification.ts';
import { assert } from '#shared/basics/assert.ts';
import type { Plain } from '#shared/codec/canonical.ts';
import { type KeyId, keyIdOf } from '#shared/identity/keys.ts';
import type { Signer } from '#shared/identity/signature.ts';
import { decodeBlock, encodeBlock } from '#shared/ledger/block.ts';
import { exampleMember, member, operator } from '#shared/ledger/chain.fixture.ts';
import { chainStateAtGenesis } from '#shared/ledger/chain-state.ts';
import { decodeMessage } from '#shared/ledger/consensus/message-codec.ts';
import {
  sign,
  signableProposal,
  signableVote,
} from '#shared/ledger/consensus/message-signature.ts';
import type { ConsensusMessage } from '#shared/ledger/consensus/resend.ts';
import { proposerOf } from '#shared/ledger/consensus/validator-set.ts';
import type { Proposal, Vote } from '#shared/ledger/consensus/vote.ts';
import { executeBlock, type StagedBlock, stageBlock } from '#shared/ledger/execute-block.ts';
import { encodeGenesis } from '#shared/ledger/genesis.ts';
import { type EncodedTransaction, signTransaction } from '#shared/ledger/transaction.ts';
import { taskDefinition, testGenesis } from '../ledger-cluster.fixture.ts';
import { nativeMember } from '../native-member.fixture.ts';
import { decodeFrame } from './consensus-frame.ts';
import { type Loss, Machine } from './crash-lab.fixture.ts';

export const HEIGHTS = 3;

const genesis = testGenesis(4);
const { chain: start, writes: startWrites } = chainStateAtGenesis(genesis);
const START_MS = genesis.timeMs + 1_000;
const { validators } = start.roster;
const members = genesis.validators.map((_, n) => n);
const idOf = (n: number) => keyIdOf(member(n).publicKey);
/** The validator under test: the one that proposes at height 2. */
const self = members.find((n) => idOf(n) === proposerOf(validators, 2, 0))!;
const others = members.filter((n) => n !== self);

/** Made once: by salt and sequence. */
const transactions = new Map<string, EncodedTransaction>();

interface Said {
  readonly type: Vote['type'];
  readonly round: number;
  readonly value: string | null;
  readonly validRound?: number;
}

/**
 * Three validators with real keys, who act as the test wants, and one real validator that is
 * stopped somewhere and started again from what its disk holds then.
 */
export class CrashScript implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'diten-crash-'));
  /** All that the validator under test has signed and let go, by place. */
  readonly signatures = new Map<string, Set<string>>();
  readonly state = new Map<string, Plain>();
  readonly #shown: ConsensusMessage[] = [];
  chain = start;
  machine: Machine;
  readonly #isOpen: boolean;
  /** Tells the blocks before the crash from those after it. */
  #epoch = 0;
  #blocks = new Map<string, Uint8Array>();
  #proposed: Proposal | undefined;

  constructor(stopAt: number, loss: Loss) {
    this.#isOpen = stopAt % 2 === 0;
    this.#write(startWrites);
    this.machine = this.#start(join(this.folder, 'before.sqlite'), { stopAt, loss });
  }

  get points(): number {
    return this.machine.points.count;
  }

  /** Places where two different things were signed. */
  get conflicts(): string[] {
    return [...this.signatures].filter(([, said]) => said.size > 1).map(([place]) => place);
  }

  /** All work together, until the machine stops or the last height is decided. */
  async cooperate(): Promise<void> {
    while (this.chain.head.height < HEIGHTS && !this.machine.points.isCrashed) {
      await this.#decideTogether();
    }
    await this.machine.settle();
  }

  /** Starts the machine again on what the crash has left. */
  restart(): void {
    this.machine[Symbol.dispose]();
    this.#epoch++;
    this.#proposed = undefined;
    const file = join(this.folder, 'left.sqlite');
    this.machine = this.#start(file, { stopAt: 0, loss: 'kill' });
  }

  /** Does all to have it sign something else than before. */
  async tempt(order: 'as usual' | 'later rounds first'): Promise<void> {
    await this.machine.settle();
    const height = this.machine.store.chain.head.height + 1;
    if (height <= this.chain.head.height) return;
    const rounds = order === 'as usual' ? [0, 1, 2] : [2, 1, 0];
    for (const round of rounds) {
      const other = this.#stage(`temptation ${round}`, round);
      await this.#propose(round, other.hash);
      await this.#say({ type: 'prevote', round, value: other.hash });
      await this.machine.pass(200);
      await this.#say({ type: 'precommit', round, value: null });
      await this.machine.pass(3_000);
    }
  }

  /** Decides the height that the machine is at without its help, then goes on together. */
  async finish(): Promise<void> {
    const { head } = this.machine.store.chain;
    const decided = this.chain.head;
    if (head.height < decided.height) await this.#decideAgain();
    else await this.#decideAlone();
    await this.cooperate();
  }

  [Symbol.dispose](): void {
    this.machine[Symbol.dispose]();
    rmSync(this.folder, { recursive: true });
  }

  async #decideTogether(): Promise<void> {
    const height = this.chain.head.height + 1;
    const value = await this.#firstProposal();
    if (value === undefined) {
      assert(this.machine.points.isCrashed, `it proposes in its turn, at height ${height}`);
      return;
    }
    await this.#say({ type: 'prevote', round: 0, value });
    if (height < HEIGHTS) {
      await this.#precommit(0, value);
      return;
    }
    // The last height goes wrong after the lock, and takes another round.
    await this.#say({ type: 'precommit', round: 0, value: null });
    await this.machine.pass(1_000);
    await this.#propose(1, value, 0);
    await this.#say({ type: 'prevote', round: 1, value, validRound: 0 });
    await this.#precommit(1, value);
  }

  /** The proposal of round 0, by whose turn it is. */
  async #firstProposal(): Promise<string | undefined> {
    const height = this.chain.head.height + 1;
    if (proposerOf(validators, height, 0) !== idOf(self)) {
      const { hash } = this.#stage('cooperation', 0);
      await this.#propose(0, hash);
      return hash;
    }
    this.machine.engine.wake();
    await this.machine.settle();
    return this.#proposed?.height === height ? this.#proposed.value : undefined;
  }

  /** Sends the three precommits that decide, which the machine may or may not live to see. */
  async #precommit(round: number, value: string): Promise<void> {
    if (this.machine.points.isCrashed) return;
    const block = decodeBlock(this.#blocks.get(value)!);
    assert(block.ok, 'a proposed block is one');
    const verdict = executeBlock(this.chain, this.state, block.value, {
      verify: verifyAccountNatively,
    });
    assert(verdict.ok, verdict.ok ? '' : verdict.error.message);
    const votes = this.#votes({ type: 'precommit', round, value });
    this.#certify = { round, value, height: this.chain.head.height + 1, votes };
    this.#write(verdict.value.writes);
    this.chain = verdict.value.chain;
    this.#shown.length = 0;
    for (const [n, vote] of votes) await this.#tell(n, { kind: 'vote', vote });
  }

  #certify: { round: number; value: string; height: number; votes: [number, Vote][] } | undefined;

  /** The peers have decided it before: they give proposal and votes again. */
  async #decideAgain(): Promise<void> {
    const { round, value, height, votes } = this.#certify!;
    const proposer = others.find((n) => idOf(n) === proposerOf(validators, height, round));
    if (proposer !== undefined) {
      const validRound = round === 0 ? -1 : 0;
      const proposal = this.#signProposal(proposer, { height, round, value, validRound });
      await this.#tell(proposer, { kind: 'proposal', proposal }, this.#blocks.get(value));
    } else {
      const own = this.#proposed ?? this.#ownProposal;
      await this.#tell(others[0]!, { kind: 'proposal', proposal: own! }, this.#blocks.get(value));
    }
    for (const [n, vote] of votes) await this.#tell(n, { kind: 'vote', vote });
  }

  #ownProposal: Proposal | undefined;

  async #decideAlone(): Promise<void> {
    const height = this.chain.head.height + 1;
    if (height > HEIGHTS) return;
    let round = 5;
    while (proposerOf(validators, height, round) === idOf(self)) round++;
    const { hash } = this.#stage('decided alone', round);
    await this.#say({ type: 'prevote', round, value: null });
    await this.#propose(round, hash);
    await this.#precommit(round, hash);
  }

  /** A block of the peers; another for each purpose and each life of the machine. */
  #stage(purpose: string, round: number): StagedBlock {
    const salt = [...`${purpose} ${this.#epoch}`].reduce((sum, c) => sum + c.charCodeAt(0), 0);
    const { staged } = stageBlock(this.chain, this.state, {
      transactions: [this.#transaction(salt)],
      timeMs: START_MS + salt,
      proposer: proposerOf(validators, this.chain.head.height + 1, round) as KeyId,
      verify: verifyAccountNatively,
    });
    this.#blocks.set(staged.hash, encodeBlock(staged.block));
    return staged;
  }

  #transaction(salt: number): EncodedTransaction {
    const signerSequence = this.chain.head.height + 1;
    const known = transactions.get(`${salt} ${signerSequence}`);
    if (known !== undefined) return known;
    const { chainId } = genesis;
    const place = { chainId, signerSequence, notAfterHeight: 1_000 };
    const signed = signTransaction(
      taskDefinition(10_000 * salt + signerSequence),
      place,
      operator(0),
    );
    assert(signed.ok, 'it is well formed');
    transactions.set(`${salt} ${signerSequence}`, signed.value);
    return signed.value;
  }

  async #propose(round: number, value: string, validRound = -1): Promise<void> {
    const height = this.chain.head.height + 1;
    const proposer = others.find((n) => idOf(n) === proposerOf(validators, height, round));
    if (proposer === undefined) return;
    const proposal = this.#signProposal(proposer, { height, round, value, validRound });
    await this.#tell(proposer, { kind: 'proposal', proposal }, this.#blocks.get(value));
  }

  #signProposal(
    n: number,
    of: Pick<Proposal, 'height' | 'round' | 'value' | 'validRound'>,
  ): Proposal {
    const proposal = { ...of, proposer: idOf(n) };
    const signature = sign(nativeMember(n), signableProposal(genesis.chainId, proposal));
    return { ...proposal, signature };
  }

  async #say(said: Said): Promise<void> {
    for (const [n, vote] of this.#votes(said)) await this.#tell(n, { kind: 'vote', vote });
  }

  #votes({ type, round, value, validRound = -1 }: Said): [number, Vote][] {
    const height = this.chain.head.height + 1;
    return others.map((n) => {
      const vote = { type, height, round, value, validRound, voter: idOf(n) };
      return [
        n,
        { ...vote, signature: sign(nativeMember(n), signableVote(genesis.chainId, vote)) },
      ];
    });
  }

  async #tell(n: number, message: ConsensusMessage, block?: Uint8Array): Promise<void> {
    await this.machine.hear(exampleMember(n).peer, message, block);
  }

  #start(file: string, { stopAt, loss }: { stopAt: number; loss: Loss }): Machine {
    const signer: Signer = nativeMember(self);
    return new Machine({
      ...{ file, stopAt, loss, signer, left: join(this.folder, 'left.sqlite') },
      genesis: encodeGenesis(genesis),
      validator: idOf(self),
      self: exampleMember(self).peer,
      peers: others.map((n) => exampleMember(n).peer),
      startMs: START_MS,
      transactions: () => this.#own(),
      // Some peers keep to themselves what they have seen: nothing may depend on their help.
      shown: () => (this.#isOpen ? this.#shown : []),
      peersHeight: () => this.chain.head.height,
      onSent: (_to, frame) => this.#note(frame),
    });
  }

  /** What the machine would propose: something else after the crash. */
  #own(): EncodedTransaction[] {
    const { height } = this.chain.head;
    const isTurn = proposerOf(validators, height + 1, 0) === idOf(self);
    return isTurn ? [this.#transaction(7 + this.#epoch)] : [];
  }

  #note(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    const message = frame.ok ? decodeMessage(frame.value.message) : undefined;
    assert(frame.ok && message?.ok, 'what a validator sends is well formed');
    const { value } = message;
    if (value.kind === 'certificate') return;
    const said = value.kind === 'vote' ? value.vote : value.proposal;
    const maker = 'voter' in said ? said.voter : said.proposer;
    if (maker !== idOf(self)) return;
    const place = `${said.height} ${said.round} ${'type' in said ? said.type : 'proposal'}`;
    const known = this.signatures.get(place) ?? new Set();
    this.signatures.set(place, known.add(said.signature));
    this.#shown.push(value);
    if (this.#shown.length > 3) this.#shown.shift();
    if (value.kind !== 'proposal') return;
    this.#proposed = value.proposal;
    this.#ownProposal = value.proposal;
    if (frame.value.block) this.#blocks.set(value.proposal.value, frame.value.block);
  }

  #write(writes: ReadonlyMap<string, Plain | undefined>): void {
    for (const [key, value] of writes) {
      if (value === undefined) this.state.delete(key);
      else this.state.set(key, value);
    }
  }
}
