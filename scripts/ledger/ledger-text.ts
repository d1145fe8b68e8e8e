import type { LedgerFile, RecordedBlock } from '#edge-node/ledger/store/ledger-file.ts';
import { bytesToHex } from '#shared/basics/bytes.ts';
import { digestSchema } from '#shared/identity/digest.ts';
import type { Entities } from '#shared/ledger/contract/state.ts';
import { readState } from '#shared/ledger/contract/state.ts';
import { withoutControls } from '#shared/ledger/log/note-key.ts';
import type { EncodedTransaction, Transaction } from '#shared/ledger/transaction.ts';

const FIELDS_MAX = 100;

/** A transaction and what the ledger knows of it, as plain JSON. */
export interface RecordJson {
  readonly height: number;
  /** In its block, from 0. */
  readonly index: number;
  readonly digest: string;
  readonly type: string;
  readonly outcome: string;
  readonly signer: string;
  readonly keyId: string;
  readonly signerSequence: number;
  readonly body: unknown;
}

/** A block's transactions; the names of signers are as the newest block has them. */
export function recordsOf(file: LedgerFile, { block, outcomes }: RecordedBlock): RecordJson[] {
  const { height } = block.header;
  return block.transactions.map((encoded, index) => {
    return recordJson(file, encoded, { height, index, outcome: outcomes[index]! });
  });
}

function recordJson(
  file: LedgerFile,
  { transaction, digest }: EncodedTransaction,
  place: Pick<RecordJson, 'height' | 'index' | 'outcome'>,
): RecordJson {
  const { type, keyId, signerSequence, body } = transaction;
  const signer = signerName(file, transaction);
  return { ...place, digest, type, signer, keyId, signerSequence, body };
}

/** The block as one line. */
export function blockLine(file: LedgerFile, { block }: RecordedBlock): string {
  const { height, timeMs, proposer, logSize, state } = block.header;
  const count = block.transactions.length;
  return (
    `${height}  ${new Date(timeMs).toISOString()}  by ${nodeName(file, proposer)}  ` +
    `${count} transaction${count === 1 ? '' : 's'}  log ${logSize}  state ${short(state)}`
  );
}

/** The transaction as one line, with nothing in it that steers a terminal. */
export function recordLine({ height, index, type, outcome, signer, digest, body }: RecordJson) {
  const became = outcome === 'accepted' ? '' : `  rejected: ${outcome}`;
  const line = `${height}/${index}  ${type}${became}  by ${signer}  ${fields(body)}  ${digest}`;
  return withoutControls(line.replaceAll('\n', ' '));
}

/** As JSON, bytes in hex; control characters escaped as JSON has them. */
export function jsonText(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, plainly, indent);
  return text.replace(/(?!\n)[\p{Cc}\p{Cf}]/gu, (c) => {
    return [...Array(c.length).keys()]
      .map((at) => `\\u${c.charCodeAt(at).toString(16).padStart(4, '0')}`)
      .join('');
  });
}

/** A member's name; the key id's first digits where it is one no more. */
export function nodeName(file: LedgerFile, keyId: string): string {
  return entity(file, 'validator', keyId)?.entry.name ?? short(keyId);
}

function signerName(file: LedgerFile, { keyId }: Transaction): string {
  const node = entity(file, 'validator', keyId)?.entry.name;
  const device = entity(file, 'key', keyId)?.device;
  const operator = entity(file, 'operator', keyId) && `operator ${short(keyId)}`;
  return node ?? device ?? operator ?? short(keyId);
}

function entity<Kind extends keyof Entities>(file: LedgerFile, kind: Kind, id: string) {
  return readState(file.state, kind, id);
}

/** What a body says in few words: digests cut short, lists by their length. */
function fields(body: unknown): string {
  const parts = Object.entries(body as object).map(([key, value]) => `${key}=${word(value)}`);
  const text = parts.join(' ');
  return text.length <= FIELDS_MAX ? text : `${text.slice(0, FIELDS_MAX)}...`;
}

function word(value: unknown): string {
  if (Array.isArray(value)) return `[${value.length}]`;
  if (typeof value === 'object' && value !== null) return '{...}';
  return short(`${value}`);
}

function short(text: string): string {
  return digestSchema.safeParse(text).success ? text.slice(0, 12) : text;
}

function plainly(_: string, value: unknown): unknown {
  return value instanceof Uint8Array ? bytesToHex(value) : value;
}
