import { assert } from '#shared/basics/assert.ts';
import { type Failure, ok, type Result } from '#shared/basics/result.ts';
import { digestOf } from '#shared/identity/digest.ts';
import type { Signer } from '#shared/identity/signature.ts';
import { signingBytes } from '#shared/identity/signing-bytes.ts';
import {
  sign,
  signableProposal,
  signableVote,
} from '#shared/ledger/consensus/message-signature.ts';
import type { ConsensusMessage } from '#shared/ledger/consensus/resend.ts';
import { guardSignature, type LastSigned, placeOf } from '#shared/ledger/consensus/sign-guard.ts';
import type { UnsignedProposal, UnsignedVote } from '#shared/ledger/consensus/vote.ts';

/** A vote or proposal of this validator. */
export type SignedMessage = Exclude<ConsensusMessage, { kind: 'certificate' }>;

/**
 * The one way to this validator's signatures on consensus messages. What it gives must be on the
 * disk, with {@link ValidatorSigner.newest}, before it is let go.
 */
export class ValidatorSigner {
  readonly #chainId: string;
  readonly #signer: Signer;
  // Of the height under way: what the wire may show without anybody else having the key.
  readonly #own = new Set<string>();
  #last: LastSigned | undefined;

  constructor(chainId: string, signer: Signer, last: LastSigned | undefined) {
    this.#chainId = chainId;
    this.#signer = signer;
    this.#last = last;
    if (last !== undefined) this.#own.add(last.signature);
  }

  /** The last thing signed. */
  get newest(): LastSigned | undefined {
    return this.#last;
  }

  /** Signs what goes beyond the last signature, or gives that one again for the same bytes. */
  sign(
    message: UnsignedVote | UnsignedProposal,
  ): Result<SignedMessage, Failure<'sign-regression' | 'sign-conflict'>> {
    const isVote = 'type' in message;
    const signable = isVote
      ? signableVote(this.#chainId, message)
      : signableProposal(this.#chainId, message);
    const digest = digestOf(signingBytes(signable.context, signable.message));
    const place = placeOf(message);
    const guarded = guardSignature(this.#last, place, digest);
    if (!guarded.ok) return guarded;
    const signature = guarded.value ?? sign(this.#signer, signable);
    this.#last = { ...place, digest, signature };
    this.#own.add(signature);
    return ok(
      isVote
        ? { kind: 'vote', vote: { ...message, signature } }
        : { kind: 'proposal', proposal: { ...message, signature } },
    );
  }

  /** Notes what the write-ahead log says that this validator signed at this height. */
  recall(signature: string): void {
    assert(this.#last !== undefined, 'what is in the log was signed, and that is stored with it');
    this.#own.add(signature);
  }

  /** Whether this process, or the log it goes on from, made the signature at this height. */
  isOwn(signature: string): boolean {
    return this.#own.has(signature);
  }

  /** The height is decided; nothing of it will be signed or compared again. */
  forgetHeight(): void {
    this.#own.clear();
    if (this.#last !== undefined) this.#own.add(this.#last.signature);
  }
}
