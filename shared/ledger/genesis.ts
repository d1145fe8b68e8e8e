import { z } from 'zod';
import { type Failure, fail, ok, type Result } from '../basics/result.ts';
import { decodeCanonical } from '../codec/canonical.ts';
import { publicKeySchema } from '../identity/keys.ts';
import { nameSchema } from '../wire/names.ts';

/** More validators than this are not worth their messages: the others follow and verify. */
const VALIDATORS_MAX = 31;

const genesisSchema = z.strictObject({
  v: z.literal(1),
  chainId: nameSchema,
  timeMs: z.int().min(0),
  validators: z
    .array(publicKeySchema)
    .min(1)
    .max(VALIDATORS_MAX)
    .refine((keys) => new Set(keys).size === keys.length, 'names a validator twice'),
});

/** What a chain starts from, at height 0 and unsigned: its digest is the chain's identity. */
export type Genesis = z.infer<typeof genesisSchema>;

export function decodeGenesis(bytes: Uint8Array): Result<Genesis, Failure<'genesis-malformed'>> {
  const decoded = decodeCanonical(bytes);
  if (!decoded.ok) return fail('genesis-malformed', `the genesis is ${decoded.error.message}`);
  const parsed = genesisSchema.safeParse(decoded.value);
  if (parsed.success) return ok(parsed.data);
  const { path, message } = parsed.error.issues[0]!;
  return fail('genesis-malformed', `the genesis at ${path.join('.') || 'its root'}: ${message}`);
}
