import { z } from 'zod';
import { ok, type Result } from '../../basics/result.ts';
import { bytesSchema } from '../../codec/bytes-schema.ts';
import { ed25519Of } from '../../identity/account-key.ts';
import { type Digest, digestOfPlain } from '../../identity/digest.ts';
import { keyIdOf, type PublicKey } from '../../identity/keys.ts';
import { checkCertificate } from '../consensus/certificate.ts';
import {
  accused,
  type Evidence,
  isAnswered,
  isEvidence,
  type SignatureCheck,
} from '../consensus/evidence.ts';
import { decodeMessage, encodeMessage } from '../consensus/message-codec.ts';
import { createSignatureCheck } from '../consensus/message-signature.ts';
import type { ConsensusMessage } from '../consensus/resend.ts';
import { createValidatorSet, type ValidatorSet } from '../consensus/validator-set.ts';
import { demotionWrites, membersOf } from './membership.ts';
import { contractEntry, type Rejection, type RuleContext, reject } from './rule.ts';
import { change, createOverlay, readState, type StateView, type StateWrites } from './state.ts';

/** How many heights the accused have to answer evidence of amnesia. */
export const ANSWER_HEIGHTS = 100;

/** A certificate of 31 votes takes some 6,400 bytes. */
const messageSchema = bytesSchema.refine(
  (bytes) => bytes.length <= 8192,
  'is larger than 8192 bytes',
);

/** Two encoded consensus messages of which no correct validator signs both. */
const evidenceSchema = z.strictObject({
  kind: z.enum(['duplicate-vote', 'duplicate-proposal', 'amnesia']),
  messages: z.tuple([messageSchema, messageSchema]),
});
export type EvidenceBody = z.infer<typeof evidenceSchema>;

const answerSchema = z.strictObject({
  /** Those of the evidence of amnesia. */
  messages: z.tuple([messageSchema, messageSchema]),
  /** The encoded polka that let the accused change their lock. */
  answer: messageSchema,
});

type Amnesia = Extract<Evidence, { kind: 'amnesia' }>;

/** Whose signatures the evidence is checked against. */
interface Accusable {
  readonly validators: ValidatorSet;
  readonly isSigned: SignatureCheck;
}

/**
 * Who is proven faulty loses its vote two heights on, and is marked, until operators add it again.
 * Duplicates take effect at once. Amnesia is sent twice: first it accuses; then, when
 * {@link ANSWER_HEIGHTS} have gone by without an answer, it convicts.
 */
export const evidenceContract = {
  evidence: contractEntry({ body: evidenceSchema, signedBy: ['node'], rule: applyEvidence }),
  'evidence.answer': contractEntry({
    body: answerSchema,
    signedBy: ['node'],
    rule: applyAnswer,
  }),
};

/** The body that carries evidence. */
export function evidenceBody(evidence: Evidence): EvidenceBody {
  const pair = <T>(items: readonly [T, T], encode: (item: T) => ConsensusMessage) =>
    items.map((item) => encodeMessage(encode(item))) as [Uint8Array, Uint8Array];
  const { kind } = evidence;
  switch (kind) {
    case 'duplicate-vote':
      return { kind, messages: pair(evidence.votes, (vote) => ({ kind: 'vote', vote })) };
    case 'duplicate-proposal':
      return {
        kind,
        messages: pair(evidence.proposals, (proposal) => ({ kind: 'proposal', proposal })),
      };
    case 'amnesia':
      return {
        kind,
        messages: pair<Amnesia['commit'] | Amnesia['polka']>(
          [evidence.commit, evidence.polka],
          (certificate) => ({ kind: 'certificate', certificate }),
        ),
      };
  }
}

/** The evidence that a body carries, unchecked. */
export function evidenceOf({ kind, messages }: EvidenceBody): Evidence | undefined {
  const [a, b] = messages.map((bytes) => {
    const decoded = decodeMessage(bytes);
    return decoded.ok ? decoded.value : undefined;
  });
  if (kind === 'duplicate-vote' && a?.kind === 'vote' && b?.kind === 'vote') {
    return { kind, votes: [a.vote, b.vote] };
  }
  if (kind === 'duplicate-proposal' && a?.kind === 'proposal' && b?.kind === 'proposal') {
    return { kind, proposals: [a.proposal, b.proposal] };
  }
  if (kind !== 'amnesia' || a?.kind !== 'certificate' || b?.kind !== 'certificate') {
    return undefined;
  }
  const { certificate: commit } = a;
  const { certificate: polka } = b;
  if (commit.kind !== 'commit' || polka.kind !== 'polka') return undefined;
  return { kind, commit, polka };
}

function applyEvidence(
  view: StateView,
  body: EvidenceBody,
  context: RuleContext,
): Result<StateWrites, Rejection> {
  const evidence = evidenceOf(body);
  if (evidence === undefined) return reject('not-evidence', 'the messages are not of that kind');
  const among = accusable(view, evidence, context);
  if (!among.ok) return among;
  const { validators, isSigned } = among.value;
  if (!isEvidence(evidence, validators, isSigned)) {
    return reject('not-evidence', 'a correct validator may have signed these messages');
  }
  const named = accused(evidence);
  if (named.every((id) => readState(view, 'accused', id) !== undefined)) {
    return reject('duplicate-evidence', 'whom it names is marked already');
  }
  const state = createOverlay(view);
  if (evidence.kind === 'amnesia') {
    const wait = accuse(view, evidence, context);
    if (!wait.ok || wait.value.size > 0) return wait;
    state.write(new Map([change('accusation', accusationId(evidence), undefined)]));
  }
  const { height } = context;
  const mark = { atHeight: height, evidence: digestOfPlain(body) };
  state.write(new Map(named.map((id) => change('accused', id, mark))));
  state.write(demotionWrites(view, named, context));
  return ok(state.writes);
}

/** Who may be accused: the one a duplicate names, or all who vote where certificates count. */
function accusable(
  view: StateView,
  evidence: Evidence,
  { chainId, verify }: RuleContext,
): Result<Accusable, Rejection> {
  const tooOld = () =>
    reject('evidence-too-old', 'it is of a height before the present validators began to vote');
  const among = (weights: readonly [string, number][], keys: ReadonlyMap<string, PublicKey>) =>
    ok({
      validators: createValidatorSet(weights),
      isSigned: createSignatureCheck(chainId, keys, ed25519Of(verify)),
    });
  if (evidence.kind === 'amnesia') {
    if (evidence.commit.height < readState(view, 'roster', 'voters')!.sinceHeight) return tooOld();
    const voters = membersOf(view)
      .filter(({ weight }) => weight > 0)
      .map(({ publicKey, weight }) => ({ id: keyIdOf(publicKey), publicKey, weight }));
    return among(
      voters.map(({ id, weight }) => [id, weight]),
      new Map(voters.map(({ id, publicKey }) => [id, publicKey])),
    );
  }
  const [id] = accused(evidence);
  const member = readState(view, 'validator', id!);
  if (member === undefined) {
    return reject('unknown-validator', 'whom the evidence names is no member (any more)');
  }
  const [{ height }] = evidence.kind === 'duplicate-vote' ? evidence.votes : evidence.proposals;
  if (height < member.sinceHeight) return tooOld();
  return among([[id!, 1]], new Map([[id!, member.entry.publicKey]]));
}

/** Begins an accusation; nothing is to be written where it stood unanswered for long enough. */
function accuse(
  view: StateView,
  evidence: Amnesia,
  { height }: RuleContext,
): Result<StateWrites, Rejection> {
  const id = accusationId(evidence);
  const known = readState(view, 'accusation', id);
  if (known === undefined) {
    return ok(new Map([change('accusation', id, { atHeight: height, answered: false })]));
  }
  if (known.answered) return reject('evidence-answered', 'the accused have shown why');
  if (height <= known.atHeight + ANSWER_HEIGHTS) {
    return reject(
      'evidence-pending',
      `the accused may answer up to height ${known.atHeight + ANSWER_HEIGHTS}`,
    );
  }
  return ok(new Map());
}

function applyAnswer(
  view: StateView,
  { messages, answer }: z.infer<typeof answerSchema>,
  context: RuleContext,
): Result<StateWrites, Rejection> {
  const evidence = evidenceOf({ kind: 'amnesia', messages });
  const decoded = decodeMessage(answer);
  const notAnAnswer = (what: string) => reject('not-an-answer', what);
  if (evidence?.kind !== 'amnesia' || !decoded.ok || decoded.value.kind !== 'certificate') {
    return notAnAnswer('it is no polka, or answers no evidence of amnesia');
  }
  const { certificate: polka } = decoded.value;
  const id = accusationId(evidence);
  const known = readState(view, 'accusation', id);
  if (known === undefined || polka.kind !== 'polka' || !isAnswered(evidence, polka)) {
    return notAnAnswer('the polka answers no accusation that is on the ledger');
  }
  if (known.answered) return reject('evidence-answered', 'the accusation is answered already');
  const among = accusable(view, evidence, context);
  if (!among.ok) return among;
  const { validators, isSigned } = among.value;
  const checked = checkCertificate(polka, validators, isSigned.vote);
  if (!checked.ok) return notAnAnswer(checked.error.message);
  return ok(new Map([change('accusation', id, { ...known, answered: true })]));
}

/** The same for the same certificates, whichever of the votes they hold. */
function accusationId({ commit, polka }: Amnesia): Digest {
  const { height, round, value } = commit;
  return digestOfPlain([height, round, value, polka.round, polka.value, polka.validRound]);
}
