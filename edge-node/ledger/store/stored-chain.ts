import { z } from 'zod';
import { assert } from '#shared/basics/assert.ts';
import { decodeCanonical, encodeCanonical } from '#shared/codec/canonical.ts';
import { type Digest, digestSchema } from '#shared/identity/digest.ts';
import type { ChainState } from '#shared/ledger/chain-state.ts';
import { type Genesis, validatorSchema } from '#shared/ledger/genesis.ts';
import { rosterOf } from '#shared/ledger/roster.ts';

const chainSchema = z.strictObject({
  v: z.literal(1),
  head: z.strictObject({
    height: z.int().min(0),
    hash: digestSchema,
    timeMs: z.int().min(0),
  }),
  roster: z.array(validatorSchema).min(1),
  nextRoster: z.array(validatorSchema).min(1),
  stateDigest: digestSchema,
  log: z.strictObject({
    size: z.int().min(0),
    hashes: z.array(z.instanceof(Uint8Array).refine((hash) => hash.length === 32)),
  }),
});

/** The chain's state as the store keeps it: what the genesis says is not repeated. */
export function encodeChain({ head, roster, nextRoster, stateDigest, log }: ChainState) {
  return encodeCanonical({
    v: 1,
    head: { ...head },
    roster: roster.members,
    nextRoster: nextRoster.members,
    stateDigest,
    log: { ...log },
  });
}

/** Inverse of {@link encodeChain}; throws where the bytes are not its. */
export function decodeChain(
  bytes: Uint8Array,
  { chainId, clockToleranceMs }: Genesis,
  genesis: Digest,
): ChainState {
  const decoded = decodeCanonical(bytes);
  assert(decoded.ok, 'the stored state of the chain is canonical CBOR');
  const { head, roster, nextRoster, stateDigest, log } = chainSchema.parse(decoded.value);
  return {
    chainId,
    clockToleranceMs,
    genesis,
    head,
    roster: rosterOf(roster),
    nextRoster: rosterOf(nextRoster),
    stateDigest,
    log,
  };
}
