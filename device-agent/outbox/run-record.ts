import { randomBytes } from 'node:crypto';
import type { Database } from '#runtime/database/database.ts';
import { bytesToHex } from '#shared/basics/bytes.ts';
import type { StreamRun } from '#shared/twin/sample-stream.ts';

/** Which process took the samples of an outbox; see {@link StreamRun}. */
export class RunRecord {
  readonly #statements: ReturnType<typeof prepare>;
  /** Oldest first; those only that samples are left of. */
  #runs: StreamRun[];
  #begun = false;

  constructor(database: Database) {
    this.#statements = prepare(database);
    this.#runs = this.#statements.all.all() as StreamRun[];
  }

  /** Oldest first, from the one that `sequence` is of. */
  since(sequence: number): StreamRun[] {
    return this.#runs.slice(Math.max(0, this.#indexOf(sequence)));
  }

  /** The run that a sequence is of, and the next one; none where it is older than runs are. */
  at(sequence: number): { run: StreamRun | undefined; next: StreamRun | undefined } {
    const index = this.#indexOf(sequence);
    return { run: this.#runs[index], next: this.#runs[index + 1] };
  }

  /**
   * Begins this process's run with its first sample, where it has not yet; belongs into the
   * transaction that stores the sample. To be undone by {@link rolledBack}.
   */
  begin(first: number, acknowledged: number): void {
    if (this.#begun) return;
    const id = bytesToHex(randomBytes(4));
    const oldest = this.at(acknowledged).run?.first ?? 0;
    this.#statements.forget.run(oldest, first);
    this.#statements.add.run(first, id);
    this.#runs = this.#statements.all.all() as StreamRun[];
    this.#begun = true;
  }

  /** Begins a run that all samples are of. */
  beginAnew(): void {
    this.#begun = false;
    this.#statements.clear.run();
    this.#runs = [];
    this.begin(1, 0);
  }

  /** Reads again what there is, after a transaction that began one was rolled back. */
  rolledBack(begunBefore: boolean): void {
    this.#runs = this.#statements.all.all() as StreamRun[];
    this.#begun = begunBefore;
  }

  get begun(): boolean {
    return this.#begun;
  }

  #indexOf(sequence: number): number {
    return this.#runs.findLastIndex(({ first }) => first <= sequence);
  }
}

function prepare(database: Database) {
  return {
    all: database.prepare('SELECT id, first FROM runs ORDER BY first'),
    add: database.prepare('INSERT INTO runs (first, id) VALUES (?, ?)'),
    // What begins where this one does left no sample.
    forget: database.prepare('DELETE FROM runs WHERE first < ? OR first >= ?'),
    clear: database.prepare('DELETE FROM runs'),
  };
}
