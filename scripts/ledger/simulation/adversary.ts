import { type Random, shuffledIndices } from '#shared/basics/seeded-random.ts';
import type { ConsensusMessage } from '#shared/ledger/consensus/resend.ts';
import { proposerOf, type ValidatorSet } from '#shared/ledger/consensus/validator-set.ts';
import type { Proposal, ValueId, Vote } from '#shared/ledger/consensus/vote.ts';
import { garbage } from './garbage.ts';
import type { Replica } from './replica.ts';
import { signProposal, signVote } from './simulated-signature.ts';

/** What the adversary can do: all that holders of these keys can, and to hear everything. */
export interface AdversaryWorld {
  readonly random: Random;
  readonly validators: ValidatorSet;
  /** The addresses it signs for. */
  readonly faulty: readonly string[];
  /** The correct validators. */
  readonly targets: readonly Replica[];
  send(to: Replica, message: ConsensusMessage): void;
  /** Keeps these and the others apart for a while; without effect once the network has healed. */
  cutOff(replicas: readonly Replica[], ticks: number): void;
  /** Loses what this one says for a while, but not what it is told. */
  silence(replica: Replica, ticks: number): void;
}

export interface Place {
  readonly height: number;
  readonly round: number;
}

/** The faulty validators as one: they know all of each other. */
export interface Adversary {
  /** A correct validator has entered a round. */
  enters(place: Place): void;
  hear(message: ConsensusMessage): void;
}

/** What a strategy is called for, each with the faulty validators' own moves at hand. */
interface Strategy {
  /** The first message of a round was heard. */
  round?(moves: Moves, place: Place): void;
  /** A correct validator proposed. */
  proposal?(moves: Moves, proposal: Proposal): void;
  /** A correct validator voted for a value, the first time in that round and of that type. */
  vote?(moves: Moves, vote: Vote): void;
  /** Anything was heard. */
  any?(moves: Moves, message: ConsensusMessage): void;
}

/** The moves of the faulty validators in a run. */
export interface Moves {
  readonly world: AdversaryWorld;
  /** Every correct validator, parted in two for each height. */
  halves(height: number): readonly [readonly Replica[], readonly Replica[]];
  /** One correct validator for each height. */
  victim(height: number): Replica;
  others(than: Replica): readonly Replica[];
  some(): readonly Replica[];
  fresh(): ValueId;
  /** The faulty proposer of the round, if it has one. */
  proposer(place: Place): string | undefined;
  propose(place: Place, value: ValueId, validRound: number, to: readonly Replica[]): void;
  /** All faulty validators vote so, to these. */
  vote(type: Vote['type'], ballot: Ballot, to: readonly Replica[]): void;
  /** The heights at which the victim has all it needs to decide, and the others do not. */
  readonly alone: Set<number>;
  /** What has been heard of late. */
  readonly heard: readonly ConsensusMessage[];
}

interface Ballot extends Place {
  readonly value: ValueId | null;
  readonly validRound: number;
}

/** Votes one value to one half of the correct validators, and another to the other. */
const equivocate: Strategy = {
  round(moves, place) {
    if (moves.proposer(place) === undefined) return;
    const halves = moves.halves(place.height);
    moves.world.cutOff(halves[0], 40);
    for (const half of halves) {
      const value = moves.fresh();
      moves.propose(place, value, -1, half);
      moves.vote('prevote', { ...place, value, validRound: -1 }, half);
      moves.vote('precommit', { ...place, value, validRound: -1 }, half);
    }
  },
  proposal(moves, { height, round, value, validRound }) {
    const [first, second] = moves.halves(height);
    const place = { height, round };
    moves.vote('prevote', { ...place, value, validRound }, first);
    moves.vote('prevote', { ...place, value: null, validRound: -1 }, second);
    moves.vote('precommit', { ...place, value, validRound: -1 }, first);
    moves.vote('precommit', { ...place, value: null, validRound: -1 }, second);
  },
};

/** Gives each quorum to some only, so that some lock and others do not. */
const split: Strategy = {
  round(moves, place) {
    moves.propose(place, moves.fresh(), -1, moves.some());
  },
  proposal(moves, { height, round, value, validRound }) {
    moves.vote('prevote', { height, round, value, validRound }, moves.some());
  },
  vote(moves, { type, height, round, value, validRound }) {
    if (type === 'prevote') {
      moves.vote('prevote', { height, round, value, validRound }, moves.some());
    }
    moves.vote('precommit', { height, round, value, validRound: -1 }, moves.some());
    moves.vote('precommit', { height, round, value: null, validRound: -1 }, moves.some());
  },
};

/** Lets one validator lock, alone, and go on as if nothing had been. */
const hiddenLock: Strategy = {
  round(moves, place) {
    moves.propose(place, moves.fresh(), -1, moves.world.targets);
  },
  vote(moves, { type, height, round, value, validRound }) {
    // Another than the lone decider: what the one has locked on is not what the other decides.
    const victim = moves.victim(height + 1);
    if (type !== 'prevote') return;
    moves.vote('prevote', { height, round, value, validRound }, [victim]);
    moves.vote('prevote', { height, round, value: null, validRound: -1 }, moves.others(victim));
    moves.vote('precommit', { height, round, value: null, validRound: -1 }, moves.world.targets);
  },
};

/** Knows no lock: prevotes whatever comes, and claims valid rounds that never were. */
const amnesia: Strategy = {
  round(moves, place) {
    const { random } = moves.world;
    const known = moves.heard.find((message) => message.kind === 'proposal');
    const value = known === undefined || random() < 0.5 ? moves.fresh() : known.proposal.value;
    const validRound = random() < 0.5 ? -1 : Math.floor(random() * place.round);
    moves.propose(place, value, validRound, moves.world.targets);
    moves.vote('prevote', { ...place, value, validRound }, moves.world.targets);
  },
  proposal(moves, { height, round, value, validRound }) {
    moves.vote('prevote', { height, round, value, validRound }, moves.world.targets);
  },
  vote(moves, { height, round, value, validRound, type }) {
    if (type === 'prevote') {
      moves.vote('prevote', { height, round, value, validRound }, moves.world.targets);
    }
    moves.vote('precommit', { height, round, value, validRound: -1 }, moves.some());
  },
};

/** Lets one validator decide and silences it, then helps the others to another value. */
const loneDecider: Strategy = {
  round(moves, place) {
    const victim = moves.victim(place.height);
    const value = moves.fresh();
    const ballot = { ...place, value, validRound: -1 };
    if (moves.proposer(place) === undefined) return;
    if (moves.alone.has(place.height)) {
      // The others may be locked: a valid round that never was would be a reason to unlock.
      const validRound = moves.world.random() < 0.7 ? -1 : place.round - 1;
      moves.propose(place, value, validRound, moves.others(victim));
      helpOthers(moves, { ...ballot, validRound });
    } else {
      moves.propose(place, value, -1, moves.world.targets);
      decideAlone(moves, ballot);
    }
  },
  proposal(moves, proposal) {
    if (moves.alone.has(proposal.height)) helpOthers(moves, proposal);
    else decideAlone(moves, proposal);
  },
  vote(moves, { type, voter, height }) {
    if (type === 'precommit' && voter === moves.victim(height).address) moves.alone.add(height);
  },
};

function decideAlone(moves: Moves, ballot: Ballot): void {
  const { height, round } = ballot;
  const victim = moves.victim(height);
  const locking = moves.halves(height).find((half) => half.includes(victim))!;
  // Either its accomplices go on among the others, locked, or they share its fate.
  if (height % 2 === 0) moves.world.silence(victim, 300);
  else moves.world.cutOff(locking, 300);
  const nil = { height, round, value: null, validRound: -1 };
  moves.vote('prevote', ballot, locking);
  moves.vote(
    'prevote',
    nil,
    moves.world.targets.filter((target) => !locking.includes(target)),
  );
  moves.vote('precommit', { ...ballot, validRound: -1 }, [victim]);
  moves.vote('precommit', nil, moves.others(victim));
}

function helpOthers(moves: Moves, ballot: Ballot): void {
  const others = moves.others(moves.victim(ballot.height));
  moves.vote('prevote', ballot, others);
  moves.vote('precommit', { ...ballot, validRound: -1 }, others);
}

const noise: Strategy = {
  any(moves, message) {
    if (moves.world.random() < 0.3) garbage(moves, message);
  },
};

export const STRATEGIES = {
  equivocate,
  split,
  'hidden-lock': hiddenLock,
  amnesia,
  'lone-decider': loneDecider,
  garbage: noise,
} as const satisfies Record<string, Strategy>;

export type StrategyName = keyof typeof STRATEGIES;

/** The adversary that plays these strategies, one or another for each round. */
export function createAdversary(world: AdversaryWorld, names: readonly StrategyName[]): Adversary {
  const moves = createMoves(world);
  const rounds = new Map<string, Strategy>();
  const voted = new Set<string>();

  function strategyOf({ height, round }: Place): Strategy {
    const key = `${height} ${round}`;
    const known = rounds.get(key);
    if (known !== undefined) return known;
    const strategy: Strategy = STRATEGIES[names[Math.floor(world.random() * names.length)]!];
    rounds.set(key, strategy);
    strategy.round?.(moves, { height, round });
    return strategy;
  }

  return {
    enters: (place) => void strategyOf(place),
    hear(message) {
      moves.heard.unshift(message);
      moves.heard.length = Math.min(moves.heard.length, 100);
      const place = placeOf(message);
      const strategy = strategyOf(place);
      strategy.any?.(moves, message);
      if (message.kind === 'proposal') strategy.proposal?.(moves, message.proposal);
      if (message.kind !== 'vote' || message.vote.value === null) return;
      const { type, value } = message.vote;
      const first = `${place.height} ${place.round} ${type} ${value}`;
      if (voted.has(first)) return;
      voted.add(first);
      strategy.vote?.(moves, message.vote);
    },
  };
}

function createMoves(world: AdversaryWorld): Moves & { readonly heard: ConsensusMessage[] } {
  const { random, validators, faulty, targets } = world;
  let made = 0;
  const halves = new Map<number, readonly [readonly Replica[], readonly Replica[]]>();

  function send(to: readonly Replica[], message: ConsensusMessage): void {
    for (const target of to) world.send(target, message);
  }

  return {
    world,
    alone: new Set(),
    heard: [],
    halves(height) {
      const known = halves.get(height);
      if (known !== undefined) return known;
      const shuffled = [...shuffledIndices(targets.length, random)].map((i) => targets[i]!);
      const middle = Math.ceil(targets.length / 2);
      const parted = [shuffled.slice(0, middle), shuffled.slice(middle)] as const;
      halves.set(height, parted);
      return parted;
    },
    victim: (height) => targets[height % targets.length]!,
    others: (than) => targets.filter((target) => target !== than),
    some: () => targets.filter(() => random() < 0.5),
    fresh: () => `adversary.${made++}${random() < 0.1 ? '!' : ''}`,
    proposer({ height, round }) {
      const proposer = proposerOf(validators, height, round);
      return faulty.includes(proposer) ? proposer : undefined;
    },
    propose(place, value, validRound, to) {
      const proposer = this.proposer(place);
      if (proposer === undefined) return;
      const proposal = signProposal({ ...place, value, validRound, proposer });
      send(to, { kind: 'proposal', proposal });
    },
    vote(type, { height, round, value, validRound }, to) {
      for (const voter of faulty) {
        const vote = signVote({ type, height, round, value, validRound, voter });
        send(to, { kind: 'vote', vote });
      }
    },
  };
}

function placeOf(message: ConsensusMessage): Place {
  if (message.kind === 'vote') return message.vote;
  return message.kind === 'proposal' ? message.proposal : message.certificate;
}
