import type { LedgerFile, RecordedBlock } from '#edge-node/ledger/store/ledger-file.ts';
import { decodeCommit } from '#shared/ledger/commit-codec.ts';
import { withoutControls } from '#shared/ledger/log/note-key.ts';
import { findRecord } from './find-record.ts';
import { openLedgerFile, wrongUsage } from './ledger-input.ts';
import { blockLine, jsonText, nodeName, recordLine, recordsOf } from './ledger-text.ts';

/**
 * `diten ledger show`: a block by its height, or a record by its name (`findRecord`).
 *
 * Errors (exit 2): those of `openLedgerFile`; `height-unknown`, `record-unknown`.
 */
export function runShow(name: string, { file, json }: { file: string; json: boolean }): void {
  using ledger = openLedgerFile(file);
  const shown = /^\d{1,15}$/.test(name) ? ofBlock(ledger, Number(name)) : ofRecord(ledger, name);
  console.log(json ? jsonText(shown.plain, 2) : shown.text);
}

interface Shown {
  readonly text: string;
  readonly plain: object;
}

function ofBlock(ledger: LedgerFile, height: number): Shown {
  const [recorded] = height < 1 ? [] : ledger.blocks(height);
  if (recorded === undefined) {
    const newest = ledger.chain.head.height;
    throw wrongUsage('height-unknown', `there is no block ${height}; the newest is ${newest}`);
  }
  const { header } = recorded.block;
  const commit = commitOf(ledger, height);
  const records = recordsOf(ledger, recorded);
  const facts = Object.entries(header).map(([key, value]) => `  ${key.padEnd(14)} ${value}`);
  const lines = [
    blockLine(ledger, recorded),
    ...facts,
    `  decided        in round ${commit.round} by ${commit.voters.join(', ')}`,
    ...records.map((record) => `${recordLine(record)}`),
  ];
  return { text: lines.join('\n'), plain: { header, commit, transactions: records } };
}

function ofRecord(ledger: LedgerFile, name: string): Shown {
  const { recorded, index, logIndex } = findRecord(ledger, name);
  const record = recordsOf(ledger, recorded)[index]!;
  const { body, outcome, ...facts } = record;
  const became = outcome === 'accepted' ? outcome : `rejected, without effect: ${outcome}`;
  const time = new Date(recorded.block.header.timeMs).toISOString();
  const named = Object.entries({ ...facts, outcome: became, logIndex, time });
  const lines = [
    ...named.map(([key, value]) => withoutControls(`${key.padEnd(14)} ${value}`)),
    jsonText(body, 2),
  ];
  return { text: lines.join('\n'), plain: { ...record, logIndex, time } };
}

function commitOf(ledger: LedgerFile, height: number) {
  const decoded = decodeCommit(ledger.decided(height)!.commit);
  if (!decoded.ok) return { round: null, voters: [] };
  const { round, votes } = decoded.value;
  return { round, voters: votes.map(({ voter }) => nodeName(ledger, voter)) };
}

/** The block as the lines of `diten ledger tail`. */
export function* linesOf(
  ledger: LedgerFile,
  recorded: RecordedBlock,
  json: boolean,
): Generator<string> {
  const records = recordsOf(ledger, recorded);
  if (json) {
    yield jsonText({ header: recorded.block.header, transactions: records });
    return;
  }
  yield blockLine(ledger, recorded);
  for (const record of records) yield `  ${recordLine(record)}`;
}
