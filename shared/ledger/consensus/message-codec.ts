import { z } from 'zod';
import { type Failure, fail, ok, type Result } from '../../basics/result.ts';
import { decodeCanonical, encodeCanonical } from '../../codec/canonical.ts';
import { digestSchema } from '../../identity/digest.ts';
import { signatureSchema } from '../../identity/signature.ts';
import type { Certificate, RoundEntry } from './certificate.ts';
import type { ConsensusMessage } from './resend.ts';
import type { Vote } from './vote.ts';

/** No height has more validators, so no certificate more votes. */
const VOTES_MAX = 31;

const ROUND_MAX = 2 ** 31;

const roundSchema = z.int().min(0).max(ROUND_MAX);
const validRoundSchema = z.int().min(-1).max(ROUND_MAX);
const heightSchema = z.int().min(1);
const typeSchema = z.enum(['prevote', 'precommit']);

const proposalSchema = z
  .strictObject({
    height: heightSchema,
    round: roundSchema,
    value: digestSchema,
    validRound: validRoundSchema,
    proposer: digestSchema,
    signature: signatureSchema,
  })
  .refine(({ round, validRound }) => validRound < round, 'is valid in no earlier round');

const voteSchema = z
  .strictObject({
    type: typeSchema,
    height: heightSchema,
    round: roundSchema,
    value: digestSchema.nullable(),
    validRound: validRoundSchema,
    voter: digestSchema,
    signature: signatureSchema,
  })
  .refine(
    ({ type, round, value, validRound }) =>
      type === 'prevote' && value !== null ? validRound < round : validRound === -1,
    'has a valid round that its vote cannot have',
  );

const signersSchema = z
  .array(z.tuple([digestSchema, signatureSchema]))
  .min(1)
  .max(VOTES_MAX);

const messageSchema = z.discriminatedUnion('kind', [
  z.strictObject({ v: z.literal(1), kind: z.literal('proposal'), proposal: proposalSchema }),
  z.strictObject({ v: z.literal(1), kind: z.literal('vote'), vote: voteSchema }),
  z
    .strictObject({
      v: z.literal(1),
      kind: z.literal('polka'),
      height: heightSchema,
      round: roundSchema,
      value: digestSchema,
      validRound: validRoundSchema,
      signers: signersSchema,
    })
    .refine(({ round, validRound }) => validRound < round, 'is valid in no earlier round'),
  z.strictObject({
    v: z.literal(1),
    kind: z.literal('commit'),
    height: heightSchema,
    round: roundSchema,
    value: digestSchema,
    signers: signersSchema,
  }),
  z.strictObject({
    v: z.literal(1),
    kind: z.literal('entry'),
    height: heightSchema,
    round: roundSchema.min(1),
    votes: z.array(voteSchema).min(1).max(VOTES_MAX),
  }),
]);

type WireMessage = z.infer<typeof messageSchema>;

/** Canonical CBOR `{v, kind, ...}`; a polka or commit holds its voters and signatures only. */
export function encodeMessage(message: ConsensusMessage): Uint8Array<ArrayBuffer> {
  if (message.kind === 'proposal') {
    return encodeCanonical({ v: 1, kind: 'proposal', proposal: { ...message.proposal } });
  }
  if (message.kind === 'vote') {
    return encodeCanonical({ v: 1, kind: 'vote', vote: { ...message.vote } });
  }
  const { votes, ...rest } = message.certificate;
  if (rest.kind === 'entry') {
    return encodeCanonical({ v: 1, ...rest, votes: votes.map((vote) => ({ ...vote })) });
  }
  const signers = votes.map(({ voter, signature }) => [voter, signature]);
  return encodeCanonical({ v: 1, ...rest, signers });
}

/** Inverse of {@link encodeMessage}; says nothing of signatures, weights or who is a validator. */
export function decodeMessage(
  bytes: Uint8Array,
): Result<ConsensusMessage, Failure<'message-malformed'>> {
  const decoded = decodeCanonical(bytes);
  if (!decoded.ok) return fail('message-malformed', `the message is ${decoded.error.message}`);
  const parsed = messageSchema.safeParse(decoded.value);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    return fail('message-malformed', `the message at ${path.join('.') || 'its root'}: ${message}`);
  }
  return ok(toMessage(parsed.data));
}

function toMessage(wire: WireMessage): ConsensusMessage {
  switch (wire.kind) {
    case 'proposal':
      return { kind: 'proposal', proposal: wire.proposal };
    case 'vote':
      return { kind: 'vote', vote: wire.vote };
    default:
      return { kind: 'certificate', certificate: toCertificate(wire) };
  }
}

function toCertificate(
  wire: Extract<WireMessage, { kind: 'polka' | 'commit' | 'entry' }>,
): Certificate {
  const { kind, height, round } = wire;
  if (kind === 'entry') return { kind, height, round, votes: wire.votes } satisfies RoundEntry;
  const { value, signers } = wire;
  const votesAs = (type: Vote['type'], validRound: number): Vote[] =>
    signers.map(([voter, signature]) => ({
      ...{ type, height, round, value, validRound },
      ...{ voter, signature },
    }));
  if (kind === 'commit') return { kind, height, round, value, votes: votesAs('precommit', -1) };
  const { validRound } = wire;
  return { kind, height, round, value, validRound, votes: votesAs('prevote', validRound) };
}
