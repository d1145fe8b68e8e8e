import { z } from 'zod';
import { type Failure, fail, ok, type Result } from '../basics/result.ts';
import { decodeCanonical, encodeCanonical } from '../codec/canonical.ts';
import { accountKeySchema } from '../identity/account-key.ts';
import { type PublicKey, publicKeySchema } from '../identity/keys.ts';
import { nameSchema } from '../wire/names.ts';

/** More who vote than this are not worth their messages: the others follow and verify. */
export const VALIDATORS_MAX = 31;
/** Those who vote and those who follow. */
export const MEMBERS_MAX = 64;
export const OPERATORS_MAX = 16;

/** A multiaddr without its `/p2p/...`: who is met there is the member's `peer` key. */
const addressSchema = z
  .string()
  .max(200)
  .regex(/^(?:\/[A-Za-z0-9.:%_-]+)+$/, 'expected a multiaddr such as /ip4/10.0.0.1/tcp/4100')
  .refine((address) => !address.split('/').includes('p2p'), 'leave out /p2p: the key says it');

interface MemberKeys {
  readonly publicKey: PublicKey;
  readonly peer: PublicKey;
  readonly cosigner: PublicKey;
  readonly log: PublicKey;
}

/** An edge node that takes part: a validator, or with weight 0 a follower. */
export const validatorSchema = z
  .strictObject({
    name: nameSchema,
    /** Signs votes, proposals and transactions. */
    publicKey: publicKeySchema,
    /** Share of the vote; 0 for one that follows and verifies only. */
    weight: z.int().min(0).max(1000),
    /** The key of its libp2p identity. */
    peer: publicKeySchema,
    /** Cosigns checkpoints (C2SP tlog-cosignature). */
    cosigner: publicKeySchema,
    /** Signs checkpoints of its own (C2SP signed-note). */
    log: publicKeySchema,
    addresses: z.array(addressSchema).max(8),
  })
  .refine((validator) => isDistinct(keysOf(validator)), 'uses one key in two roles');
export type Validator = z.infer<typeof validatorSchema>;

const genesisSchema = z.strictObject({
  v: z.literal(1),
  chainId: nameSchema,
  timeMs: z.int().min(0),
  /** How far a validator's clock may be off for its proposal to be timely. */
  clockToleranceMs: z.int().min(1).max(3_600_000),
  validators: z
    .array(validatorSchema)
    .min(1)
    .max(MEMBERS_MAX)
    .refine((all) => isDistinct(all.map(({ name }) => name)), 'gives two members one name')
    .refine((all) => isDistinct(all.flatMap(keysOf)), 'gives two members one key')
    .refine(
      (all) => countVoters(all) >= 1 && countVoters(all) <= VALIDATORS_MAX,
      `needs 1 to ${VALIDATORS_MAX} members with a weight`,
    ),
  operators: z
    .array(accountKeySchema)
    .min(1)
    .max(OPERATORS_MAX)
    .refine(
      (keys) => isDistinct(keys.map(({ publicKey }) => publicKey)),
      'names an operator twice',
    ),
});

/** What a chain starts from, at height 0 and unsigned: its digest is the chain's identity. */
export type Genesis = z.infer<typeof genesisSchema>;

export type GenesisFailure = Failure<'genesis-malformed'>;

/** The four keys of a member, each for a role of its own. */
export function keysOf({ publicKey, peer, cosigner, log }: MemberKeys): PublicKey[] {
  return [publicKey, peer, cosigner, log];
}

export function countVoters(members: readonly Validator[]): number {
  return members.filter(({ weight }) => weight > 0).length;
}

export function encodeGenesis(genesis: Genesis): Uint8Array<ArrayBuffer> {
  return encodeCanonical(genesis);
}

/** Inverse of {@link encodeGenesis}; any other bytes are refused. */
export function decodeGenesis(bytes: Uint8Array): Result<Genesis, GenesisFailure> {
  const decoded = decodeCanonical(bytes);
  if (!decoded.ok) return fail('genesis-malformed', `the genesis is ${decoded.error.message}`);
  return parseGenesis(decoded.value);
}

/** Checks plain data, such as a configuration made for `encodeGenesis`. */
export function parseGenesis(plain: unknown): Result<Genesis, GenesisFailure> {
  const parsed = genesisSchema.safeParse(plain);
  if (parsed.success) return ok(parsed.data);
  const { path, message } = parsed.error.issues[0]!;
  return fail('genesis-malformed', `the genesis at ${path.join('.') || 'its root'}: ${message}`);
}

function isDistinct(values: readonly string[]): boolean {
  return new Set(values).size === values.length;
}
