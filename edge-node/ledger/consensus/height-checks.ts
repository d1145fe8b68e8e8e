import type { VerifySignature } from '#shared/identity/signature.ts';
import type { SignatureCheck } from '#shared/ledger/consensus/evidence.ts';
import { createSignatureCheck } from '#shared/ledger/consensus/message-signature.ts';
import type { Vote } from '#shared/ledger/consensus/vote.ts';
import type { Roster } from '#shared/ledger/roster.ts';

/** Votes remembered as verified: more than there are in a height that goes as usual. */
const VERIFIED_MAX = 4096;

/** The signatures of one height's votes and proposals; a vote that was found good is so again. */
export function createHeightChecks(
  chainId: string,
  roster: Roster,
  verify: VerifySignature,
): SignatureCheck {
  const check = createSignatureCheck(chainId, roster.keys, verify);
  const verified = new Set<string>();
  return {
    proposal: check.proposal,
    vote(vote) {
      const name = nameOf(vote);
      if (verified.has(name)) return true;
      if (!check.vote(vote)) return false;
      if (verified.size >= VERIFIED_MAX) verified.clear();
      verified.add(name);
      return true;
    },
  };
}

function nameOf({ type, height, round, value, validRound, voter, signature }: Vote): string {
  return `${type} ${height} ${round} ${value} ${validRound} ${voter} ${signature}`;
}
