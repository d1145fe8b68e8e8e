import { type DatabaseSchema, openDatabase } from '#runtime/database/database.ts';
import { decodeTensors, encodeTensors } from '#shared/codec/tensor.ts';
import type { TrainingCheckpoint } from './training-run.ts';

/** Where one run keeps its latest checkpoint; a port. */
export interface CheckpointSlot {
  load(): TrainingCheckpoint | undefined;
  /** Takes the place of the one before; once this returns, it survives kill -9 and power loss. */
  save(checkpoint: TrainingCheckpoint): void;
  /** For when the run's outcome is safe elsewhere. */
  clear(): void;
}

export interface CheckpointStore extends Disposable {
  /** `dataEnd` is kept with the slot's checkpoint: see {@link dataEndOf}. */
  slot(name: string, dataEnd?: number): CheckpointSlot;
  /**
   * Where the data of the run in that slot end, in the caller's own terms, so that the same data
   * can be taken again; `undefined` where it holds no checkpoint.
   */
  dataEndOf(name: string): number | undefined;
  /** Forgets the checkpoints of all other slots. */
  keepOnly(name: string): void;
}

const schema: DatabaseSchema = {
  name: 'checkpoint store',
  migrations: [
    `CREATE TABLE checkpoints (
       slot TEXT PRIMARY KEY,
       run TEXT NOT NULL,
       steps INTEGER NOT NULL,
       open_loss REAL NOT NULL,
       epoch_losses BLOB NOT NULL,
       state BLOB NOT NULL
     ) STRICT;`,
    'ALTER TABLE checkpoints ADD COLUMN data_end INTEGER NOT NULL DEFAULT 0;',
  ],
};

interface CheckpointRow {
  run: string;
  steps: number;
  open_loss: number;
  epoch_losses: Uint8Array;
  state: Uint8Array;
}

/** Errors: those of `openDatabase`. */
export function openCheckpointStore(file: string): CheckpointStore {
  const database = openDatabase(file, schema);
  const select = database.prepare<[string], CheckpointRow>(
    'SELECT run, steps, open_loss, epoch_losses, state FROM checkpoints WHERE slot = ?',
  );
  const replace = database.prepare(
    `INSERT OR REPLACE INTO checkpoints
       (slot, run, steps, open_loss, epoch_losses, state, data_end)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  const remove = database.prepare('DELETE FROM checkpoints WHERE slot = ?');
  const removeOthers = database.prepare('DELETE FROM checkpoints WHERE slot <> ?');
  const selectEnd = database.prepare<[string], { data_end: number }>(
    'SELECT data_end FROM checkpoints WHERE slot = ?',
  );
  return {
    slot: (name, dataEnd = 0) => ({
      load() {
        const row = select.get(name);
        return row === undefined ? undefined : rowToCheckpoint(row);
      },
      save({ run, steps, openLoss, epochLosses, state }) {
        const losses = new Uint8Array(Float64Array.from(epochLosses).buffer);
        replace.run(name, run, steps, openLoss, losses, encodeTensors(state), dataEnd);
      },
      clear() {
        remove.run(name);
      },
    }),
    dataEndOf: (name) => selectEnd.get(name)?.data_end,
    keepOnly(name) {
      removeOthers.run(name);
    },
    [Symbol.dispose]: () => {
      database.close();
    },
  };
}

/** `undefined` where the state is not what was stored: the run then starts over. */
function rowToCheckpoint(row: CheckpointRow): TrainingCheckpoint | undefined {
  const state = decodeTensors(row.state);
  if (!state.ok) return undefined;
  const epochLosses = [...new Float64Array(new Uint8Array(row.epoch_losses).buffer)];
  const { run, steps, open_loss: openLoss } = row;
  return { run, steps, openLoss, epochLosses, state: state.value };
}
