import type { Certificate } from './certificate.ts';
import type { HeightState } from './height.ts';
import { polkaOf } from './step-height.ts';
import type { Proposal, Vote } from './vote.ts';
import { countOf } from './vote-keeper.ts';

/** What one validator tells the others. */
export type ConsensusMessage =
  | { readonly kind: 'proposal'; readonly proposal: Proposal }
  | { readonly kind: 'vote'; readonly vote: Vote }
  | { readonly kind: 'certificate'; readonly certificate: Certificate };

/**
 * What to send again and again while a height is undecided, since messages get lost. The paper
 * assumes that what one correct validator has received all will; own votes alone do not bring that
 * about. The entry lets the others follow into this round, the polka lets them vote for what only
 * this validator may know to be valid.
 */
export function messagesToResend(state: HeightState): ConsensusMessage[] {
  const { round, votes, proposals, entry } = state;
  const certificates = [entry, polkaOf(state, round.validRound)];
  const own = (['prevote', 'precommit'] as const).flatMap((type) =>
    countOf(votes, type, round.round).votes.filter(({ voter }) => voter === round.self),
  );
  return [
    ...certificates
      .filter((certificate) => certificate !== undefined)
      .map((certificate) => ({ kind: 'certificate', certificate }) as const),
    ...proposals
      .filter(({ proposal }) => proposal.round === round.round)
      .map(({ proposal }) => ({ kind: 'proposal', proposal }) as const),
    ...own.map((vote) => ({ kind: 'vote', vote }) as const),
  ];
}
