import { join } from 'node:path';
import { Forecaster } from '#device-agent/learning/forecaster.ts';
import { Learner } from '#device-agent/learning/learner.ts';
import { openOutbox } from '#device-agent/outbox/outbox.ts';
import {
  type CheckpointStore,
  openCheckpointStore,
} from '#device-agent/training/checkpoint-store.ts';
import { startTrainer } from '#device-agent/training/trainer.ts';
import { systemClock as clock } from '#runtime/clock/system-clock.ts';
import { connectMqtt } from '#runtime/mqtt/mqtt-js-client.ts';
import { silentLog as log } from '#runtime/observe/log.ts';

// A device that takes part in learning: node learning-device.fixture.ts FOLDER PORT GROUP. At each
// start it has measured something new. It says on standard output which step a round goes on from,
// and each time that a checkpoint is safe.

const [folder, port, group] = process.argv.slice(2) as [string, string, string];
const device = 'mote-1';
const NEW_READINGS = 100;

await using parts = new AsyncDisposableStack();
const outbox = parts.use(
  openOutbox({
    file: join(folder, 'outbox.sqlite'),
    nowMs: 0,
    unacknowledgedMax: 100_000,
    acknowledgedKept: 1000,
  }),
);
const first = outbox.producedOf('a/x');
for (let timeMs = first; timeMs < first + NEW_READINGS; timeMs++) {
  const value = Math.sin(timeMs / 3) + Math.sin(timeMs / 50);
  outbox.append([{ property: 'a/x', timeMs, value, quality: 'ok' }]);
}

const stored = parts.use(openCheckpointStore(join(folder, 'checkpoints.sqlite')));
const say = (line: string): boolean => process.stdout.write(`${line}\n`);
const checkpoints: CheckpointStore = {
  ...stored,
  slot(name, dataEnd) {
    const slot = stored.slot(name, dataEnd);
    return {
      ...slot,
      load() {
        const last = slot.load();
        say(`from ${last?.steps ?? 0}`);
        return last;
      },
      save(checkpoint) {
        slot.save(checkpoint);
        say(`saved ${checkpoint.steps}`);
      },
    };
  },
};
const mqtt = parts.use(
  connectMqtt({
    url: `mqtt://127.0.0.1:${port}`,
    clientId: device,
    username: outbox.epoch,
    keepaliveSeconds: 5,
    reconnectPeriodMs: 20,
    log,
  }),
);
const trainer = parts.use(startTrainer({ chunkSteps: 5, checkpointIntervalMs: 0 }));
const forecaster = new Forecaster({ outbox, trainer, log, onScores: () => undefined });
const learner = { outbox, trainer, checkpoints, forecaster };
parts.use(await Learner.start({ mqtt, group, device, ...learner, clock, log }));
await new Promise((resolve) => process.stdin.once('end', resolve).resume());
