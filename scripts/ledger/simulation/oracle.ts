import { checkCertificate } from '#shared/ledger/consensus/certificate.ts';
import {
  accused,
  type Evidence,
  findEvidence,
  isEvidence,
} from '#shared/ledger/consensus/evidence.ts';
import { holdsCorrect, weightOf } from '#shared/ledger/consensus/validator-set.ts';
import type { Proposal, Vote } from '#shared/ledger/consensus/vote.ts';
import type { Replica } from './replica.ts';
import type { Decision } from './simulated-disk.ts';
import { proposalText, simulatedSignatures, voteText } from './simulated-signature.ts';
import type { Plan } from './simulation-plan.ts';

/** What a run came to, as far as what it must keep goes. */
interface Verdict {
  /** Every breach of what a run must keep; none in a good one. */
  readonly failures: readonly string[];
  /** Whether two correct validators decided differently. */
  readonly forked: boolean;
  /** Whom the evidence of the correct validators names. */
  readonly accused: ReadonlySet<string>;
  readonly decided: number;
  /** The kinds of that evidence. */
  readonly evidence: ReadonlySet<Evidence['kind']>;
}

/** Watches a run: agreement, validity, one signature for one place, no honest one accused. */
export interface Oracle {
  signed(replica: Replica, message: Vote | Proposal): void;
  decided(replica: Replica, decision: Decision): void;
  reported(replica: Replica, evidence: Evidence): void;
  failed(sentence: string): void;
  isOver(): boolean;
  conclude(correct: readonly Replica[]): Verdict;
}

export function createOracle(plan: Plan): Oracle {
  const { validators, faulty, tooManyFaulty } = plan;
  const failures: string[] = [];
  const failed = (sentence: string) => void failures.push(sentence);
  const accusations = createAccusations(plan, failed);
  const signatures = new Map<string, string>();
  const decisions = new Map<number, string>();
  let forked = false;

  return {
    signed({ address, instance }, message) {
      if (faulty.includes(address)) return;
      const type = 'type' in message ? message.type : 'proposal';
      const place = `${address} ${type} ${message.height} ${message.round}`;
      const text = 'type' in message ? voteText(message) : proposalText(message);
      const before = signatures.get(place) ?? text;
      signatures.set(place, text);
      if (before !== text) failed(`${instance} signed ${before}, and then ${text}`);
    },
    decided({ address, instance }, decision) {
      if (faulty.includes(address)) return;
      const { height, value } = decision.certificate;
      const before = decisions.get(height) ?? value;
      decisions.set(height, before);
      forked ||= before !== value;
      if (before !== value && !tooManyFaulty) {
        failed(`height ${height}: ${before} and ${value} decided, by ${instance}`);
      }
      const wrong = wrongDecision(decision, plan);
      if (wrong !== undefined) failed(`${instance} decided ${value}: ${wrong}`);
    },
    reported: (replica, evidence) => accusations.add(evidence, replica.instance),
    failed,
    isOver: () => failures.length > 0 || forked,
    conclude(correct) {
      const heights = Math.max(...correct.map(({ height }) => height));
      for (let height = 1; height <= heights; height++) {
        const votes = correct.flatMap((replica) => votesAt(replica, height));
        for (const evidence of findEvidence(votes, validators)) {
          accusations.add(evidence, `height ${height}`);
        }
      }
      const { accused: named, evidence } = accusations;
      if (forked && tooManyFaulty && !holdsCorrect(weightOf(validators, named), validators)) {
        failed(`a fork, and evidence against [${[...named]}] only`);
      }
      return { failures, forked, accused: named, evidence, decided: decisions.size };
    },
  };
}

/** All evidence of a run, each piece checked as it comes: it proves something, of a faulty one. */
function createAccusations({ validators, faulty }: Plan, failed: (sentence: string) => void) {
  const named = new Set<string>();
  const kinds = new Set<Evidence['kind']>();
  return {
    accused: named,
    evidence: kinds,
    add(evidence: Evidence, by: string) {
      kinds.add(evidence.kind);
      if (!isEvidence(evidence, validators, simulatedSignatures)) {
        failed(`${by} holds evidence that proves nothing: ${evidence.kind}`);
      }
      for (const address of accused(evidence)) {
        named.add(address);
        if (faulty.includes(address)) continue;
        failed(`${by} accuses ${address}, who is correct, of ${evidence.kind}`);
      }
    },
  };
}

function wrongDecision({ certificate, proposal }: Decision, plan: Plan): string | undefined {
  const { height, round, value } = certificate;
  if (value.endsWith('!')) return 'it is not valid';
  if (proposal.value !== value || proposal.round !== round || proposal.height !== height) {
    return 'its proposal is another than its certificate’s';
  }
  const checked = checkCertificate(certificate, plan.validators, simulatedSignatures.vote);
  return checked.ok ? undefined : checked.error.message;
}

function votesAt({ archive }: Replica, height: number): Vote[] {
  const rounds = [...(archive.get(height)?.rounds.values() ?? [])];
  return rounds.flatMap(({ prevotes, precommits }) => [...prevotes.votes, ...precommits.votes]);
}
