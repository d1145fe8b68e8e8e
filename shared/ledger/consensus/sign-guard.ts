import { type Failure, fail, ok, type Result } from '../../basics/result.ts';
import type { UnsignedProposal, UnsignedVote } from './vote.ts';

/** Where a signature stands: the later of two has the greater height, else round, else step. */
export interface SignPlace {
  readonly height: number;
  readonly round: number;
  /** 0 for the proposal, 1 for the prevote, 2 for the precommit. */
  readonly step: 0 | 1 | 2;
}

/** The last thing signed, as it must lie on the disk before the signature is let go. */
export interface LastSigned extends SignPlace {
  /** Digest of the signed bytes. */
  readonly digest: string;
  readonly signature: string;
}

export function placeOf(message: UnsignedVote | UnsignedProposal): SignPlace {
  const { height, round } = message;
  if (!('type' in message)) return { height, round, step: 0 };
  return { height, round, step: message.type === 'prevote' ? 1 : 2 };
}

/**
 * Whether to sign: `undefined` to sign anew, and to store that first; the signature given before,
 * where the same bytes come again; a failure where this would go back, or contradict the last one.
 */
export function guardSignature(
  last: LastSigned | undefined,
  place: SignPlace,
  digest: string,
): Result<string | undefined, Failure<'sign-regression' | 'sign-conflict'>> {
  if (last === undefined) return ok(undefined);
  const order = place.height - last.height || place.round - last.round || place.step - last.step;
  const where = `height ${place.height}, round ${place.round}, step ${place.step}`;
  if (order < 0) return fail('sign-regression', `${where} is before what was signed last`);
  if (order > 0) return ok(undefined);
  if (digest === last.digest) return ok(last.signature);
  return fail('sign-conflict', `${where} is signed already, with other bytes`);
}
