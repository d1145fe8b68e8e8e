import type { LedgerFile, RecordedBlock } from '#edge-node/ledger/store/ledger-file.ts';
import type { Transaction } from '#shared/ledger/transaction.ts';
import { wrongUsage } from './ledger-input.ts';

export interface FoundRecord {
  readonly recorded: RecordedBlock;
  /** The transaction's place in its block. */
  readonly index: number;
  readonly logIndex: number;
}

/**
 * The record of that name: a transaction's digest, or what a transaction is about: a model version,
 * a task or an update by digest, a device, a member or a grant by name, a voucher by its key. Of
 * several the newest that was accepted. Error (exit 2): `record-unknown`.
 */
export function findRecord(file: LedgerFile, name: string): FoundRecord {
  const place = file.transaction(name);
  if (place !== undefined) {
    const [recorded] = file.blocks(place.height);
    if (recorded !== undefined) return { recorded, index: place.index, logIndex: place.logIndex };
  }
  const found = newestAbout(file, name);
  if (found !== undefined) return found;
  throw wrongUsage(
    'record-unknown',
    `the ledger has no record ${JSON.stringify(name.slice(0, 80))}; give a transaction's digest, ` +
      'or a model version, task or device',
  );
}

function newestAbout(file: LedgerFile, name: string): FoundRecord | undefined {
  let rejected: FoundRecord | undefined;
  for (let height = file.chain.head.height; height > 0; height--) {
    // Names stand in a block as they are, so most blocks need no decoding.
    const bytes = file.decided(height)?.block;
    if (bytes === undefined || !Buffer.from(bytes).includes(name)) continue;
    const [recorded] = file.blocks(height);
    const { transactions } = recorded!.block;
    for (const [index, { transaction, digest }] of [...transactions.entries()].reverse()) {
      if (subjectOf(transaction) !== name) continue;
      const { logIndex } = file.transaction(digest)!;
      const found = { recorded: recorded!, index, logIndex };
      if (recorded!.outcomes[index] === 'accepted') return found;
      rejected ??= found;
    }
  }
  return rejected;
}

/** What a transaction is about, by the name that it has elsewhere. */
function subjectOf({ type, body }: Transaction): string | undefined {
  switch (type) {
    case 'model.version':
      return body.digest;
    case 'model.update':
      return body.update;
    case 'task.define':
      return body.task;
    case 'device.enrol':
    case 'device.rotate':
    case 'device.suspend':
    case 'device.revoke':
      return body.device;
    case 'grant.add':
    case 'grant.remove':
      return body.grant;
    case 'voucher.issue':
      return body.voucher;
    case 'validator.add':
      return body.name;
    default:
      return undefined;
  }
}
