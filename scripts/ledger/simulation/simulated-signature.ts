import type { SignatureCheck } from '#shared/ledger/consensus/evidence.ts';
import type {
  Proposal,
  UnsignedProposal,
  UnsignedVote,
  Vote,
} from '#shared/ledger/consensus/vote.ts';

/**
 * Signatures that cost nothing: the maker's name and what it signed. They hold as long as nobody
 * signs for an address that is not its own, which the adversary keeps to.
 */
export function voteText({ type, height, round, value, validRound, voter }: UnsignedVote): string {
  return `${voter}/${type}/${height}/${round}/${value}/${validRound}`;
}

export function proposalText(proposal: UnsignedProposal): string {
  const { height, round, value, validRound, proposer } = proposal;
  return `${proposer}/proposal/${height}/${round}/${value}/${validRound}`;
}

export function signVote(vote: UnsignedVote): Vote {
  return { ...vote, signature: voteText(vote) };
}

export function signProposal(proposal: UnsignedProposal): Proposal {
  return { ...proposal, signature: proposalText(proposal) };
}

export const simulatedSignatures: SignatureCheck = {
  vote: (vote) => vote.signature === voteText(vote),
  proposal: (proposal) => proposal.signature === proposalText(proposal),
};
