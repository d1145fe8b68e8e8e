import { checkCertificate } from '#shared/ledger/consensus/certificate.ts';
import { createHeight, type JudgedProposal } from '#shared/ledger/consensus/height.ts';
import { RULES } from '#shared/ledger/consensus/height-rules.ts';
import {
  type RoundInput,
  type RoundState,
  startOfHeight,
  stepRound,
} from '#shared/ledger/consensus/round-machine.ts';
import { proposerOf, type ValidatorSet } from '#shared/ledger/consensus/validator-set.ts';
import type { Vote } from '#shared/ledger/consensus/vote.ts';
import {
  countOf,
  createVoteKeeper,
  keepCertificate,
  keepVote,
  type Threshold,
  type VoteKeeper,
} from '#shared/ledger/consensus/vote-keeper.ts';
import { differenceOf, map, set, type Term, type Trace, textOf, type Variant } from './itf.ts';
import { outputTerm, roundTerm, stepTerm, toRoundInput, withoutWording } from './round-terms.ts';
import { entries, field, integer, list, members, text, variant } from './term-reading.ts';
import {
  keeperTerm,
  proposalTerm,
  thresholdTerm,
  toCertificate,
  toValidators,
  toVote,
  voteTerm,
} from './vote-terms.ts';

/** Our core in the place of one validator of the specification. */
interface Node {
  readonly validators: ValidatorSet;
  readonly round: RoundState;
  readonly votes: VoteKeeper;
  readonly threshold: Threshold | undefined;
  readonly proposals: readonly JudgedProposal[];
  readonly executed: readonly Term[];
  readonly chain: readonly Term[];
  /** What the last call of the round state machine said. */
  readonly output: Term;
}

const NO_OUTPUT: Term = { tag: 'NoConsensusOutput' };

/**
 * A trace of the specification's whole system: driver, votes, rounds, network. The network and the
 * order in which a driver takes things up are the trace's; of each driver step, our vote keeper
 * gets the votes and our round state machine the inputs that the step executed. After it the round
 * state, the votes, the proposals, the executed inputs, the chain and the output are compared, and
 * each guard that the specification found true must be true by our rules.
 */
export function* replaySystem(states: Trace['states']): Generator<string | undefined> {
  const nodes = new Map<string, Node>();
  for (const [index, state] of states.entries()) {
    let difference: string | undefined;
    for (const [key, after] of entries(field(state, 'system'))) {
      const name = text(key);
      const before = index === 0 ? undefined : nodeTerm(states[index - 1]!, name);
      const stepped = stepNode(nodes.get(name), { name, before, after, state });
      nodes.set(name, stepped.node);
      difference ??= stepped.difference;
    }
    yield difference;
  }
}

interface Change {
  readonly name: string;
  readonly before: Term | undefined;
  readonly after: Term;
  /** The state of the trace after the step. */
  readonly state: Readonly<Record<string, Term>>;
}

function stepNode(node: Node | undefined, change: Change) {
  const { name, before, after, state } = change;
  const driver = field(after, 'es');
  const height = integer(field(field(driver, 'cs'), 'height'));
  if (node === undefined || before === undefined || height !== node.round.height) {
    const chain = node?.chain ?? [];
    const fresh = createNode(name, height, { validators: field(driver, 'valset'), chain });
    return { node: fresh, difference: differenceOf(shown(driver), projection(fresh), name) };
  }
  if (textOf(field(before, 'es')) === textOf(driver)) return { node, difference: undefined };
  const { validator, input, output } = historyOf(field(state, '_hist'));
  if (validator !== name) {
    return { node, difference: `${name}: changed in a step of ${validator}` };
  }
  const attempts = earlierVotes(before, node).map((votes) => {
    const next = driverStep(node, { before, after, input, votes });
    const difference =
      differenceOf(shown(driver), projection(next.node), name) ??
      differenceOf(withoutWording(output), next.node.output, `${name}.output`) ??
      next.notEnabled;
    return { node: next.node, difference };
  });
  return attempts.find(({ difference }) => difference === undefined) ?? attempts[0]!;
}

/**
 * The votes that came for a height before it was started, which the specification takes in as a
 * set: the orders it may have taken. After the start there are none.
 */
function earlierVotes(before: Term, node: Node): readonly (readonly Vote[])[] {
  if (field(field(before, 'es'), 'started') !== false) return [[]];
  const votes = members(field(before, 'incomingVotes'))
    .map(toVote)
    .filter((vote) => vote.height === node.round.height);
  return orders(votes);
}

/** Some orders of the list: all of a short one, else those with one element drawn to the front. */
function orders<T>(members: readonly T[]): readonly (readonly T[])[] {
  if (members.length <= 1) return [members];
  const drawn = members.map(
    (first, index) => [first, members.filter((_, i) => i !== index)] as const,
  );
  if (members.length > 5)
    return [members, members.toReversed(), ...drawn.map(([a, b]) => [a, ...b])];
  return drawn.flatMap(([first, others]) => orders(others).map((rest) => [first, ...rest]));
}

/** One step of the specification's driver, with what it executed read from the trace. */
function driverStep(
  node: Node,
  step: { before: Term; after: Term; input: Variant; votes: readonly Vote[] },
): { node: Node; notEnabled: string | undefined } {
  const { before, after, input, votes } = step;
  const started = field(field(before, 'es'), 'started');
  let next: Node = { ...node, output: NO_OUTPUT };
  if (started === false) next = withEarlierMessages(next, before, votes);
  next = withMessage(next, input);
  let notEnabled: string | undefined;
  const known = list(field(field(before, 'es'), 'executedInputs')).length;
  for (const entry of list(field(field(after, 'es'), 'executedInputs')).slice(known)) {
    const [executed] = list(entry);
    const roundInput = toRoundInput(executed!);
    const { state, output } = stepRound(next.round, roundInput);
    const idle = output.kind === 'refused' || output.kind === 'nothing';
    if (!idle && !isEnabled(next, roundInput)) {
      notEnabled ??= `${node.round.self}: ${textOf(executed!)} is not enabled by our rules`;
    }
    const { height, round } = state;
    next = {
      ...next,
      round: state,
      executed: [...next.executed, [executed!, height, round, stepTerm(next.round.step)]],
      output: outputTerm(output, state),
    };
    if (output.kind === 'decide') next = withDecision(next, output);
  }
  return { node: next, notEnabled };
}

/** What came for a height before it was started: all votes at once, then all certificates. */
function withEarlierMessages(node: Node, before: Term, votes: readonly Vote[]): Node {
  const { height } = node.round;
  const certificates = members(field(before, 'incomingCertificates')).filter((certificate) =>
    members(certificate).every((vote) => toVote(vote).height === height),
  );
  const lastRound = Math.max(0, ...votes.map(({ round }) => round));
  let next = node;
  for (const vote of votes) {
    next = { ...next, votes: keepVote(next.votes, vote, lastRound).keeper };
  }
  for (const term of certificates) next = withCertificate(next, term);
  return { ...next, threshold: node.threshold };
}

function withMessage(node: Node, { tag, value }: Variant): Node {
  switch (tag) {
    case 'VoteDInput': {
      const kept = keepVote(node.votes, toVote(value!), node.round.round);
      return { ...node, votes: kept.keeper, threshold: kept.reached };
    }
    case 'CertificateDInput':
      return withCertificate(node, value!);
    case 'ProposalDInput':
      return withProposal(node, value!);
    default:
      return node;
  }
}

function withCertificate(node: Node, term: Term): Node {
  const certificate = toCertificate(term);
  const sound =
    certificate !== undefined && checkCertificate(certificate, node.validators, () => true).ok;
  if (!sound || certificate.kind === 'entry') return { ...node, threshold: undefined };
  const { kind, round, value, votes } = certificate;
  const threshold = { kind, round, value };
  return { ...node, votes: keepCertificate(node.votes, votes), threshold };
}

function withProposal(node: Node, term: Term): Node {
  const proposal = {
    height: integer(field(term, 'height')),
    round: integer(field(term, 'round')),
    value: text(field(term, 'proposal')),
    validRound: integer(field(term, 'validRound')),
    proposer: text(field(term, 'srcAddress')),
    signature: '',
  };
  const { height, round, proposer } = proposal;
  // The specification's rotation is one turn ahead of ours, and heedless of the height.
  if (proposer !== proposerOf(node.validators, 1, round) || height !== node.round.height) {
    return node;
  }
  const valid = proposal.value !== 'invalid';
  return { ...node, proposals: [...node.proposals, { proposal, valid, timely: true }] };
}

function withDecision(node: Node, { round, value }: { round: number; value: string }): Node {
  const decided = node.proposals
    .map(({ proposal }) => proposal)
    .filter((proposal) => proposal.round === round && proposal.value === value);
  const commit = countOf(node.votes, 'precommit', round).votes.filter(
    (vote) => vote.value === value,
  );
  const decision = proposalTerm(decided.at(-1)!);
  return { ...node, chain: [...node.chain, { decision, commit: set(commit.map(voteTerm)) }] };
}

/** Whether the guard of the input holds by one of our rules; what has no guard here, always. */
function isEnabled(node: Node, input: RoundInput): boolean {
  const kinds = ['new-round', 'value-to-propose', 'timeout'];
  if (kinds.includes(input.kind)) return true;
  const { self, height } = node.round;
  const state = {
    ...createHeight(self, height, node.validators),
    round: node.round,
    votes: node.votes,
    proposals: node.proposals,
  };
  return RULES.some((rule) => rule.when(state)?.kind === input.kind);
}

function createNode(
  name: string,
  height: number,
  { validators: term, chain }: { validators: Term; chain: readonly Term[] },
): Node {
  const validators = toValidators(term);
  return {
    validators,
    round: startOfHeight(name, height),
    votes: createVoteKeeper(height, validators),
    threshold: undefined,
    proposals: [],
    executed: [],
    chain,
    output: NO_OUTPUT,
  };
}

/** Of the specification's driver state, what our core has a part in. */
function shown(driver: Term): Term {
  const names = ['bk', 'cs', 'proposals', 'valset', 'executedInputs', 'voteKeeperOutput', 'chain'];
  return Object.fromEntries(names.map((name) => [name, field(driver, name)]));
}

function projection(node: Node): Term {
  const valid = node.proposals.filter((known) => known.valid);
  return {
    bk: keeperTerm(node.votes),
    cs: roundTerm(node.round),
    proposals: set(valid.map(({ proposal }) => proposalTerm(proposal))),
    valset: map(node.validators.weights),
    executedInputs: node.executed,
    voteKeeperOutput: thresholdTerm(node.threshold),
    chain: node.chain,
  };
}

/** The step's validator, input and output: a record, or a tuple in the synchronous system. */
function historyOf(term: Term): { validator: string; input: Variant; output: Term } {
  const [validator, input, output] = Array.isArray(term)
    ? list(term)
    : (['validator', 'input', 'output'] as const).map((name) => field(term, name));
  return { validator: text(validator), input: variant(input), output: output ?? NO_OUTPUT };
}

function nodeTerm(state: Readonly<Record<string, Term>>, name: string): Term | undefined {
  return entries(field(state, 'system')).find(([key]) => key === name)?.[1];
}
