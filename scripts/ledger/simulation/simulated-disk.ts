import type { Random } from '#shared/basics/seeded-random.ts';
import type { Commit } from '#shared/ledger/consensus/certificate.ts';
import type { HeightInput } from '#shared/ledger/consensus/height.ts';
import type { LastSigned } from '#shared/ledger/consensus/sign-guard.ts';
import type { Proposal } from '#shared/ledger/consensus/vote.ts';

/** A height that was decided, with what proves it. */
export interface Decision {
  readonly certificate: Commit;
  readonly proposal: Proposal;
}

type DiskRecord =
  | { readonly kind: 'input'; readonly input: HeightInput }
  | { readonly kind: 'signed'; readonly signed: LastSigned }
  | { readonly kind: 'decision'; readonly decision: Decision }
  /** A record that was being written when the power went: its checksum is wrong. */
  | { readonly kind: 'torn' };

/** What a validator finds when it starts. */
interface Recovered {
  readonly decisions: readonly Decision[];
  readonly signed: LastSigned | undefined;
  /** Of the height that was not decided, in their order. */
  readonly inputs: readonly HeightInput[];
}

/** A log on a disk that loses what is not synced. */
export interface SimulatedDisk {
  write(record: Exclude<DiskRecord, { kind: 'torn' }>): void;
  sync(): void;
  /** The power goes: of what was not synced a part remains, the last of it perhaps torn. */
  crash(random: Random): void;
  /** Cuts the log where it is torn, and reads what is left. */
  recover(): Recovered;
}

export function createSimulatedDisk(): SimulatedDisk {
  let records: DiskRecord[] = [];
  let synced = 0;
  return {
    write: (record) => void records.push(record),
    sync() {
      synced = records.length;
    },
    crash(random) {
      const kept = synced + Math.floor(random() * (records.length - synced + 1));
      const torn = kept < records.length && random() < 0.5;
      records = records.slice(0, kept);
      if (torn) records.push({ kind: 'torn' });
      synced = records.length;
    },
    recover() {
      const end = records.findIndex(({ kind }) => kind === 'torn');
      if (end >= 0) records = records.slice(0, end);
      synced = records.length;
      return read(records);
    },
  };
}

function read(records: readonly DiskRecord[]): Recovered {
  const decisions: Decision[] = [];
  let signed: LastSigned | undefined;
  let inputs: HeightInput[] = [];
  for (const record of records) {
    // Nothing after a torn record can be found again.
    if (record.kind === 'torn') break;
    if (record.kind === 'input') inputs.push(record.input);
    else if (record.kind === 'signed') signed = record.signed;
    else {
      decisions.push(record.decision);
      inputs = [];
    }
  }
  return { decisions, signed, inputs };
}
