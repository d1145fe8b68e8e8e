import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import type { CheckpointSlot } from './checkpoint-store.ts';
import { startTrainer, type Trainer } from './trainer.ts';
import { digest, run, series, task, value } from './trainer-fixture.ts';
import type { TrainingCheckpoint, TrainingRun } from './training-run.ts';

/** A slot that keeps all of a run's checkpoints. */
function createSlot(last?: TrainingCheckpoint) {
  const saved: TrainingCheckpoint[] = [];
  const slot: CheckpointSlot = {
    load: () => last,
    save: (checkpoint) => saved.push(checkpoint),
    clear: () => undefined,
  };
  return { slot, saved };
}

const options = { chunkSteps: 7, checkpointIntervalMs: 0 };

async function trained(
  trainer: Trainer,
  checkpoints?: CheckpointSlot,
  changes: Partial<TrainingRun> = {},
) {
  const { parameters } = value(await trainer.defineTask(task));
  return value(await trainer.train(run(parameters, changes), checkpoints && { checkpoints }));
}

describe('a run with checkpoints', () => {
  it('goes on from any of them to the same bits', async () => {
    await using trainer = startTrainer(options);
    const whole = await trained(trainer);
    const { slot, saved } = createSlot();
    await trained(trainer, slot);
    assert.deepEqual(
      saved.map(({ steps }) => steps),
      [7, 14, 21, 28, 35, 42, 49, 56, 60],
    );
    for (const checkpoint of [saved[0]!, saved[4]!, saved[8]!]) {
      const next = createSlot(checkpoint);
      const resumed = await trained(trainer, next.slot);
      assert.equal(digest(resumed.parameters), digest(whole.parameters));
      assert.deepEqual(resumed, whole);
      assert.equal(next.saved[0]?.steps, checkpoint.steps < 60 ? checkpoint.steps + 7 : undefined);
    }
  });

  it('does not go on from a checkpoint of another run', async () => {
    await using trainer = startTrainer(options);
    const { slot, saved } = createSlot();
    await trained(trainer, slot);
    const half = saved[4]!;
    for (const changes of [
      { seed: 2 },
      { epochs: 7 },
      { learningRate: 0.02 },
      { batchSize: 15 },
      { inputs: series(150).inputs.with(0, 9) },
      { targets: series(150).targets.with(0, 9) },
    ]) {
      const other = createSlot(half);
      await trained(trainer, other.slot, changes);
      assert.equal(other.saved[0]?.steps, 7, JSON.stringify(Object.keys(changes)));
      assert.notEqual(other.saved[0]?.run, half.run);
    }
  });

  it('saves where it has come to when it is cancelled', async () => {
    const { slot, saved } = createSlot();
    await using trainer = startTrainer({ chunkSteps: 7, checkpointIntervalMs: 1e9 });
    const { parameters } = value(await trainer.defineTask(task));
    const cancel = new AbortController();
    const cancelled = value(
      await trainer.train(run(parameters, { epochs: 100_000 }), {
        checkpoints: slot,
        signal: cancel.signal,
        onProgress: () => cancel.abort(),
      }),
    );
    assert.equal(cancelled.outcome, 'cancelled');
    assert.deepEqual(
      saved.map(({ steps }) => steps),
      [cancelled.steps],
    );
  });

  it('saves where it has come to when the trainer is disposed of', async () => {
    const { slot, saved } = createSlot();
    const trainer = startTrainer({ chunkSteps: 7, checkpointIntervalMs: 1e9 });
    let disposed: PromiseLike<void> | undefined;
    const { parameters } = value(await trainer.defineTask(task));
    const training = trainer.train(run(parameters, { epochs: 100_000 }), {
      checkpoints: slot,
      onProgress() {
        disposed ??= trainer[Symbol.asyncDispose]();
      },
    });
    const { steps } = value(await training);
    await disposed;
    assert.equal(saved[0]?.steps, steps);
  });

  it('ends with the reason where one cannot be saved', async () => {
    await using trainer = startTrainer(options);
    const { slot } = createSlot();
    const save = (): never => {
      throw new Error('the disk is full');
    };
    const long = { epochs: 100_000 };
    await assert.rejects(trained(trainer, { ...slot, save }, long), /the disk is full/);
  });
});

describe('a budget', () => {
  it('pauses while training may not go on', async () => {
    const clock = createManualClock();
    let isAllowed = false;
    let questions = 0;
    const mayTrain = () => {
      questions++;
      return isAllowed;
    };
    await using trainer = startTrainer({ ...options, clock, budget: { mayTrain } });
    const { parameters } = value(await trainer.defineTask(task));
    const steps: number[] = [];
    const training = trainer.train(run(parameters, { epochs: 2 }), {
      onProgress: (progress) => steps.push(progress.steps),
    });
    // Predictions are answered after what was asked before them had its turn.
    for (let i = 0; i < 5; i++) value(await trainer.predict(series(1)));
    clock.advance(10_000);
    value(await trainer.predict(series(1)));
    assert.deepEqual(steps, []);
    assert.equal(questions, 11);
    isAllowed = true;
    clock.advance(1000);
    assert.equal(value(await training).steps, 20);
    clock.advance(10_000);
    assert.equal(questions, 12);
  });

  it('does not change the outcome', async () => {
    await using free = startTrainer();
    await using slow = startTrainer({ chunkSteps: 30, budget: { cpuShare: 0.3 } });
    assert.deepEqual(await trained(slow), await trained(free));
  });

  it('is a share of the processor', () => {
    for (const cpuShare of [0, -1, 1.1, Number.NaN]) {
      assert.throws(() => startTrainer({ budget: { cpuShare } }), /CPU share/);
    }
  });
});
