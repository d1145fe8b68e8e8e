import { type Failure, fail, ok, type Result } from '../../basics/result.ts';
import { decodeVerifierKey, type NoteKey, type NoteKeyRole, shown } from './note-key.ts';

export const POLICY_SIZE_BYTES_MAX = 64 * 1024;
/** Of logs, of witnesses, of groups. C2SP asks for 32 at least. */
const EACH_MAX = 64;

/** Which witnesses are enough: one key, or so many of these. */
export type Quorum =
  | { readonly kind: 'witness'; readonly key: NoteKey }
  | { readonly kind: 'group'; readonly threshold: number; readonly members: readonly Quorum[] };

/** Whom a verifier trusts (c2sp.org/tlog-policy). */
export interface TlogPolicy {
  readonly logs: readonly NoteKey[];
  readonly witnesses: readonly NoteKey[];
  readonly quorum: Quorum;
}

export type PolicyFailure = Failure<
  | 'policy-too-large'
  | 'policy-malformed'
  | 'policy-key-twice'
  | 'policy-name-wrong'
  | 'policy-without-quorum'
  | 'key-malformed'
  | 'key-of-another-type'
  | 'key-id-wrong'
>;

/** Whether these witnesses are enough. */
export function meetsQuorum(quorum: Quorum, witnesses: ReadonlySet<NoteKey>): boolean {
  if (quorum.kind === 'witness') return witnesses.has(quorum.key);
  const met = quorum.members.filter((member) => meetsQuorum(member, witnesses));
  return met.length >= quorum.threshold;
}

/** Reads a policy, at most 64 KiB with 64 logs, 64 witnesses and 64 groups; every line counts. */
export function decodePolicy(text: string): Result<TlogPolicy, PolicyFailure> {
  const isLarge = text.length > POLICY_SIZE_BYTES_MAX;
  if (isLarge || new TextEncoder().encode(text).length > POLICY_SIZE_BYTES_MAX) {
    return fail('policy-too-large', `the policy has over ${POLICY_SIZE_BYTES_MAX} bytes`);
  }
  if (!text.endsWith('\n')) {
    return fail('policy-malformed', 'the policy does not end in a newline; it may be cut off');
  }
  const draft: Draft = { logs: [], witnesses: [], named: new Map(), groups: 0, used: new Set() };
  for (const [index, line] of text.split('\n').entries()) {
    const failure = readLine(draft, line);
    if (failure === undefined) continue;
    return fail(failure.code, `line ${index + 1} of the policy: ${failure.message}`);
  }
  const { logs, witnesses, quorum } = draft;
  if (quorum !== undefined) return ok({ logs, witnesses, quorum });
  return fail('policy-without-quorum', 'the policy has no line "quorum"; it may be cut off');
}

interface Draft {
  readonly logs: NoteKey[];
  readonly witnesses: NoteKey[];
  /** Witnesses and groups share one space of names. */
  readonly named: Map<string, Quorum>;
  groups: number;
  /** Names that are members of a group: each may be so once. */
  readonly used: Set<string>;
  quorum?: Quorum;
}

function readLine(draft: Draft, line: string): PolicyFailure | undefined {
  if (!isPolicyText(line)) {
    return wrong('policy-malformed', 'it holds control characters or is not UTF-8');
  }
  const [kind, ...words] = line.split(/[ \t]+/).filter((word) => word !== '');
  if (kind === undefined || kind.startsWith('#')) return undefined;
  if (kind === 'log') return readLog(draft, words);
  if (kind === 'witness') return readWitness(draft, words);
  if (kind === 'group') return readGroup(draft, words);
  if (kind === 'quorum') return readQuorum(draft, words);
  return wrong('policy-malformed', `${shown(kind)} is none of log, witness, group and quorum`);
}

function readLog(draft: Draft, words: readonly string[]): PolicyFailure | undefined {
  if (words.length < 1 || words.length > 2) return wrong('policy-malformed', 'use: log KEY [URL]');
  return readKey(draft, 'log', words[0]!);
}

function readWitness(draft: Draft, words: readonly string[]): PolicyFailure | undefined {
  if (words.length < 2 || words.length > 3) {
    return wrong('policy-malformed', 'use: witness NAME KEY [URL]');
  }
  const [name, text] = words;
  const failure = checkNewName(draft, name!) ?? readKey(draft, 'cosigner', text!);
  if (failure === undefined)
    draft.named.set(name!, { kind: 'witness', key: draft.witnesses.at(-1)! });
  return failure;
}

function readGroup(draft: Draft, words: readonly string[]): PolicyFailure | undefined {
  const [name, count, ...names] = words;
  if (names.length === 0) {
    return wrong('policy-malformed', 'use: group NAME all|any|COUNT MEMBER...');
  }
  if (draft.groups === EACH_MAX) return wrong('policy-too-large', `over ${EACH_MAX} groups`);
  const failure = checkNewName(draft, name!);
  if (failure !== undefined) return failure;
  const threshold = thresholdOf(count!, names.length);
  if (threshold === undefined) {
    const expected = `all, any or a number from 1 to ${names.length}`;
    return wrong('policy-malformed', `the count is ${shown(count!)}; expected ${expected}`);
  }
  const members: Quorum[] = [];
  for (const member of names) {
    const named = draft.named.get(member);
    if (named === undefined) return unknownName(member);
    if (draft.used.has(member)) {
      return wrong('policy-name-wrong', `${shown(member)} already is a member of a group`);
    }
    draft.used.add(member);
    members.push(named);
  }
  draft.groups++;
  draft.named.set(name!, { kind: 'group', threshold, members });
  return undefined;
}

function readQuorum(draft: Draft, words: readonly string[]): PolicyFailure | undefined {
  if (words.length !== 1) return wrong('policy-malformed', 'use: quorum NAME');
  if (draft.quorum !== undefined) return wrong('policy-malformed', 'it is a second quorum');
  const none: Quorum = { kind: 'group', threshold: 0, members: [] };
  const quorum = words[0] === 'none' ? none : draft.named.get(words[0]!);
  if (quorum === undefined) return unknownName(words[0]!);
  draft.quorum = quorum;
  return undefined;
}

function readKey(draft: Draft, role: NoteKeyRole, text: string): PolicyFailure | undefined {
  const decoded = decodeVerifierKey(role, text);
  if (!decoded.ok) return decoded.error;
  const key = decoded.value;
  const list = role === 'log' ? draft.logs : draft.witnesses;
  if (list.length === EACH_MAX) return wrong('policy-too-large', `over ${EACH_MAX} keys of a kind`);
  if (list.some(({ publicKey }) => publicKey === key.publicKey)) {
    return wrong('policy-key-twice', `the key of ${shown(key.name)} stands on a line before`);
  }
  list.push(key);
  return undefined;
}

function checkNewName(draft: Draft, name: string): PolicyFailure | undefined {
  if (name !== 'none' && !draft.named.has(name)) return undefined;
  return wrong('policy-name-wrong', `the name ${shown(name)} is taken`);
}

function thresholdOf(text: string, count: number): number | undefined {
  if (text === 'any') return 1;
  if (text === 'all') return count;
  const number = /^[1-9][0-9]{0,3}$/.test(text) ? Number(text) : undefined;
  return number !== undefined && number <= count ? number : undefined;
}

/** Tabs are the only control characters in a line. */
function isPolicyText(line: string): boolean {
  for (let i = 0; i < line.length; i++) {
    const code = line.charCodeAt(i);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f) return false;
  }
  return line.isWellFormed();
}

function unknownName(name: string): PolicyFailure {
  return wrong('policy-name-wrong', `no line before it defines ${shown(name)}`);
}

function wrong(code: PolicyFailure['code'], message: string): PolicyFailure {
  return { code, message };
}
