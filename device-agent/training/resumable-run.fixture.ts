import { type CheckpointSlot, openCheckpointStore } from './checkpoint-store.ts';
import { startTrainer } from './trainer.ts';
import { digest, run, task, value } from './trainer-fixture.ts';

// A process that trains with checkpoints in the file of its first argument. It says on standard
// output where it starts, each time that a checkpoint is safe, and the digest it ends with.

const say = (line: string): boolean => process.stdout.write(`${line}\n`);
const file = process.argv[2]!;

using store = openCheckpointStore(file);
await using trainer = startTrainer({ chunkSteps: 5, checkpointIntervalMs: 0 });
const stored = store.slot('run');
say(`from ${stored.load()?.steps ?? 0}`);
const checkpoints: CheckpointSlot = {
  ...stored,
  save(checkpoint) {
    stored.save(checkpoint);
    say(`saved ${checkpoint.steps}`);
  },
};
const { parameters } = value(await trainer.defineTask(task));
const trained = value(await trainer.train(run(parameters, { epochs: 300 }), { checkpoints }));
say(`${trained.outcome} ${trained.steps} ${digest(trained.parameters)}`);
