import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { deviceAccessRules } from '#edge-node/broker/access-rules.ts';
import { startBroker } from '#edge-node/broker/broker.ts';
import { edgeConfigSchema } from '#edge-node/edge-config.ts';
import { createLearningTask } from '#edge-node/federation/learning-task.ts';
import { systemClock as clock } from '#runtime/clock/system-clock.ts';
import { createEvents } from '#runtime/observe/events.ts';
import { silentLog as log } from '#runtime/observe/log.ts';
import { digestOf } from '#shared/identity/digest.ts';
import {
  modelCodec,
  roundCodec,
  taskCodec,
  type UpdateMessage,
  updateCodec,
} from '#shared/wire/learning.ts';
import { topicOf } from '#shared/wire/topics.ts';
import { until } from './deadline.ts';

const root = mkdtempSync(join(tmpdir(), 'diten-learning-resume-'));
after(() => rmSync(root, { recursive: true }));
const program = fileURLToPath(new URL('./learning-device.fixture.ts', import.meta.url));
const group = 'lab';
const device = 'mote-1';
const KILL_AT = 200;
/** As the fixture has it. */
const CHUNK_STEPS = 5;

const { learning } = edgeConfigSchema.parse({
  id: 'edge-1',
  group,
  data: root,
  learning: { features: [{ property: 'a/x', scale: 0.3 }], localEpochs: 200 },
});
assert.ok(learning);
const task = createLearningTask(learning);

/** An edge node as far as a device sees one: it gives a task, a model and rounds. */
async function startEdge() {
  await using parts = new AsyncDisposableStack();
  const events = createEvents(log, clock);
  const access = deviceAccessRules(group);
  const limits = { payloadSizeBytesMax: 2 ** 20, clientsMax: 10 };
  const broker = parts.use(
    await startBroker({ host: '127.0.0.1', port: 0, ...limits, access, events }),
  );
  const mqtt = broker.localClient();
  const updates: UpdateMessage[] = [];
  await mqtt.subscribe(topicOf(group, device, 'update'), ({ payload }) => {
    const decoded = updateCodec.decode(payload);
    if (decoded.ok) updates.push(decoded.value);
    return undefined;
  });
  const give = (channel: 'task' | 'model' | 'round', bytes: Uint8Array) =>
    mqtt.publish(topicOf(group, device, channel), bytes, { qos: 1, retain: true });
  const { message, initialBytes, initialDigest } = task;
  await give('task', taskCodec.encode(message));
  const model = { v: 1, task: message.task, round: 0, digest: initialDigest } as const;
  await give('model', modelCodec.encode({ ...model, parameters: initialBytes }));
  const kept = parts.move();
  return {
    port: broker.port,
    updates,
    announce: (round: number) =>
      give('round', roundCodec.encode({ v: 1, task: message.task, round, base: initialDigest })),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** A device's process and all it says; `onSaved` hears of each checkpoint. */
function startDevice(folder: string, port: number, onSaved = (_: number): void => undefined) {
  const child: ChildProcess = spawn(process.execPath, [program, folder, `${port}`, group], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines: string[] = [];
  createInterface({ input: child.stdout! }).on('line', (line) => {
    lines.push(line);
    const [what, steps] = line.split(' ');
    if (what === 'saved') onSaved(Number(steps));
  });
  return {
    lines,
    kill: () => child.kill('SIGKILL'),
    exited,
    async [Symbol.asyncDispose]() {
      child.stdin!.end();
      await exited;
    },
  };
}

async function learnUntilKilled(folder: string, port: number): Promise<void> {
  await using killed = startDevice(folder, port, (steps) => {
    if (steps >= KILL_AT) killed.kill();
  });
  const [, signal] = await killed.exited;
  assert.equal(signal, 'SIGKILL');
}

describe('a device that is killed while it learns', { timeout: 60_000 }, () => {
  it('goes on with the round, from the same windows, to the same update', async () => {
    await using edge = await startEdge();
    await edge.announce(1);
    const folder = mkdtempSync(join(root, 'device-'));
    const twin = mkdtempSync(join(root, 'device-'));
    await learnUntilKilled(folder, edge.port);
    assert.equal(edge.updates.length, 0);
    // The same data without the checkpoint: the round begins anew, with newer windows too.
    cpSync(folder, twin, { recursive: true });
    for (const end of ['', '-wal', '-shm'])
      rmSync(join(twin, `checkpoints.sqlite${end}`), { force: true });
    {
      await using device = startDevice(folder, edge.port);
      await until(() => edge.updates.length === 1);
      const from = Number(device.lines[0]?.replace('from ', ''));
      assert.ok(from >= KILL_AT, device.lines[0]);
      assert.equal(device.lines[1], `saved ${from + CHUNK_STEPS}`);
    }
    {
      await using device = startDevice(twin, edge.port);
      await until(() => edge.updates.length === 2);
      assert.equal(device.lines[0], 'from 0');
    }
    // Undisturbed, with the windows that were there when the killed one began.
    const undisturbed = mkdtempSync(join(root, 'device-'));
    {
      await using _device = startDevice(undisturbed, edge.port);
      await until(() => edge.updates.length === 3);
    }
    const [resumed, anew, whole] = edge.updates;
    assert.equal(digestOf(resumed!.parameters), digestOf(whole!.parameters));
    assert.equal(resumed!.sampleCount, whole!.sampleCount);
    assert.equal(resumed!.loss, whole!.loss);
    assert.ok(anew!.sampleCount > whole!.sampleCount);
  });

  it('does not go on with what belongs to another round', async () => {
    await using edge = await startEdge();
    await edge.announce(1);
    const folder = mkdtempSync(join(root, 'device-'));
    await learnUntilKilled(folder, edge.port);
    await edge.announce(2);
    await using device = startDevice(folder, edge.port);
    await until(() => edge.updates.length === 1);
    assert.equal(edge.updates[0]?.round, 2);
    assert.equal(device.lines[0], 'from 0');
  });
});
