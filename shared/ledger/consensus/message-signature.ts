import { encodeCanonical } from '../../codec/canonical.ts';
import type { PublicKey } from '../../identity/keys.ts';
import type { Signature, Signer, VerifySignature } from '../../identity/signature.ts';
import type { SigningContext } from '../../identity/signing-bytes.ts';
import type { SignatureCheck } from './evidence.ts';
import type { UnsignedProposal, UnsignedVote } from './vote.ts';

interface Signable {
  readonly context: SigningContext;
  readonly message: Uint8Array;
}

/** What a vote's signature is over; the chain's id keeps it from standing for another chain's. */
export function signableVote(chainId: string, vote: UnsignedVote): Signable {
  const { type, height, round, value, validRound, voter } = vote;
  const message = encodeCanonical({
    ...{ v: 1, chainId, type, height, round, value, validRound, voter },
  });
  return { context: 'diten/ledger/vote/v1', message };
}

export function signableProposal(chainId: string, proposal: UnsignedProposal): Signable {
  const { height, round, value, validRound, proposer } = proposal;
  const message = encodeCanonical({
    ...{ v: 1, chainId, height, round, value, validRound, proposer },
  });
  return { context: 'diten/ledger/proposal/v1', message };
}

export function sign(signer: Signer, { context, message }: Signable): Signature {
  return signer.sign(context, message);
}

/** Says of votes and proposals whether they carry their maker's signature over this chain's. */
export function createSignatureCheck(
  chainId: string,
  keys: ReadonlyMap<string, PublicKey>,
  verify: VerifySignature,
): SignatureCheck {
  const isSigned = (maker: string, signable: Signable, signature: string): boolean => {
    const publicKey = keys.get(maker);
    if (publicKey === undefined) return false;
    return verify({ publicKey, ...signable, signature: signature as Signature });
  };
  return {
    vote: (vote) => isSigned(vote.voter, signableVote(chainId, vote), vote.signature),
    proposal: (proposal) =>
      isSigned(proposal.proposer, signableProposal(chainId, proposal), proposal.signature),
  };
}
