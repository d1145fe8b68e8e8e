import { isQuorum } from '../consensus/validator-set.ts';
import type { Roster } from '../roster.ts';
import { cosignerNameOf, originOf } from './checkpoint.ts';
import { encodeVerifierKey, noteKey } from './note-key.ts';

/**
 * The policy under which proofs of this chain's log verify (c2sp.org/tlog-policy): the log key of
 * any validator, and so many cosigners that they are a quorum of consensus whichever they are.
 * C2SP's groups count heads, so where weights differ it is the count of the lightest that are one.
 */
export function policyOf(chainId: string, { members, validators }: Roster): string {
  const voters = members.filter(({ weight }) => weight > 0);
  const logs = voters.map(({ log }) => noteKey('log', originOf(chainId), log));
  const lines = [
    ...logs.map((key) => `log ${encodeVerifierKey(key)}`),
    ...voters.map(({ name, cosigner }) => {
      const key = noteKey('cosigner', cosignerNameOf(name, chainId), cosigner);
      return `witness ${name} ${encodeVerifierKey(key)}`;
    }),
    // No member can have this name: theirs have no capitals.
    `group Quorum ${headsOfQuorum()} ${voters.map(({ name }) => name).join(' ')}`,
    'quorum Quorum',
  ];
  return `${lines.join('\n')}\n`;

  function headsOfQuorum(): number {
    const weights = voters.map(({ weight }) => weight).sort((a, b) => a - b);
    let heads = 0;
    for (let weight = 0; !isQuorum(weight, validators); heads++) weight += weights[heads]!;
    return heads;
  }
}
