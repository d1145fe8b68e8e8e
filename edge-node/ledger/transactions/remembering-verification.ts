import { createHash } from 'node:crypto';
import type { VerifyAccount } from '#shared/identity/account-key.ts';
import { RecentDigests } from './recent-digests.ts';

/** Some blocks, and what waits. */
const VERIFIED_HALF_MAX = 8_192;

/**
 * Verifies each signature once: a transaction may come before the block that has it, with it, or
 * after it. Only the good ones are remembered, so that nobody can push them out with bad ones.
 */
export function createRememberingVerification(verify: VerifyAccount): VerifyAccount {
  const verified = new RecentDigests(VERIFIED_HALF_MAX);
  return (signed) => {
    const { key, context, message, signature } = signed;
    const name = createHash('sha256')
      .update(`${key.algorithm} ${key.publicKey} ${signature} ${context}\0`)
      .update(message)
      .digest('hex');
    if (verified.has(name)) return true;
    if (!verify(signed)) return false;
    verified.add(name);
    return true;
  };
}
