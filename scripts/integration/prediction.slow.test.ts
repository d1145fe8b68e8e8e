import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'smol-toml';
import { outboxSchema } from '#device-agent/outbox/outbox-schema.ts';
import type { NodeStatus } from '#edge-node/api/status.ts';
import { openDatabaseReadOnly } from '#runtime/database/database.ts';
import { freePorts } from '../free-ports.ts';
import { closing, readSeries } from '../trial/accounting.ts';
import { readMotes } from '../trial/motes.ts';
import { superviseProgram } from '../trial/supervisor.ts';
import { until } from './deadline.ts';

const root = mkdtempSync(join(tmpdir(), 'diten-prediction-'));
after(() => rmSync(root, { recursive: true, maxRetries: 5 }));

const MOTE = 3;
const PERIOD_MS = 3;
const HEARTBEAT_MS = 360;
const tolerances = { temperature: 0.1, humidity: 0.5 } as const;
const names = ['temperature', 'humidity'] as const;
/** Shares of the record behind which a program is killed. */
const KILLS = [0.15, 0.3, 0.55, 0.8];
const ASKERS = 16;

const motes = readMotes();
const record = motes.readings.get(MOTE)!;

interface Answer {
  readonly value: number;
  readonly expectedError: number;
  readonly errorBasis: string;
}

function program(kind: 'edge' | 'device', config: object) {
  const dataFolder = join(root, kind, 'data');
  const configFile = join(root, kind, 'config.toml');
  mkdirSync(join(root, kind));
  writeFileSync(configFile, stringify({ id: kind, group: 'lab', data: dataFolder, ...config }));
  const fatal: Error[] = [];
  const hooks = { onRestart: () => undefined, onFatal: (error: Error) => fatal.push(error) };
  return {
    supervised: superviseProgram({ name: kind, kind, configFile, dataFolder }, hooks),
    fatal,
    dataFolder,
  };
}

function device(mqtt: number) {
  return program('device', {
    mqtt: { url: `mqtt://127.0.0.1:${mqtt}` },
    sensors: [
      {
        ...{ kind: 'replay', file: motes.file, periodMs: PERIOD_MS },
        filter: { column: 'mote_id', value: MOTE },
        columns: names.map((column) => ({ column, property: `env/${column}`, unit: '1' })),
      },
    ],
    reporting: names.map((name) => ({
      property: `env/${name}`,
      tolerance: tolerances[name],
      heartbeatSeconds: HEARTBEAT_MS / 1000,
    })),
  });
}

/** When the record began, and how much of it the device has taken. */
function progress(dataFolder: string): { startedMs: number; taken: number } {
  const file = join(dataFolder, 'outbox.sqlite');
  using database = closing(openDatabaseReadOnly(file, outboxSchema));
  return database.value
    .prepare(
      `SELECT started_ms AS startedMs, coalesce(
         (SELECT produced FROM properties WHERE name = 'env/temperature'), 0) AS taken FROM outbox`,
    )
    .get() as ReturnType<typeof progress>;
}

async function read<T>(url: string): Promise<T> {
  const response = await fetch(url);
  assert.equal(response.status, 200, `${url}: ${response.status}`);
  return (await response.json()) as T;
}

/** Asks over HTTP for every original sample's time, and gives the answers in their order. */
async function askForAll(url: string, startedMs: number): Promise<Record<string, Answer>[]> {
  const answers: Record<string, Answer>[] = [];
  let next = 0;
  const ask = async () => {
    while (next < record.length) {
      const index = next++;
      const at = Math.round(startedMs + index * PERIOD_MS);
      answers[index] = await read(`${url}/features/env/prediction?at=${at}`);
    }
  };
  await Promise.all(Array.from({ length: ASKERS }, ask));
  return answers;
}

describe('a twin of which its device sends a part', { timeout: 180_000 }, () => {
  it('is within the tolerance at every original sample, whatever was killed', async (t) => {
    const [mqtt, http] = (await freePorts(2)) as [number, number];
    const edge = program('edge', { mqtt: { port: mqtt }, http: { port: http } });
    const agent = device(mqtt);
    const api = `http://127.0.0.1:${http}`;
    const twin = `${api}/api/2/things/lab:device`;
    try {
      await until(() =>
        fetch(twin).then(
          ({ ok }) => ok,
          () => false,
        ),
      );
      const { startedMs } = progress(agent.dataFolder);
      for (const [index, share] of KILLS.entries()) {
        while (progress(agent.dataFolder).taken < share * record.length) await sleep(10);
        process.kill((index === 1 ? edge : agent).supervised.pid!, 'SIGKILL');
      }
      while (progress(agent.dataFolder).taken < record.length) await sleep(50);
      const lastMs = Math.round(startedMs + (record.length - 1) * PERIOD_MS);
      const thing = await read<{ features: { env: { properties: object } } }>(twin);
      assert.deepEqual(Object.keys(thing.features.env.properties).sort(), names.toSorted());
      // The device is back, and all it has to say of the record has come.
      await until(async () => {
        const { devices } = await read<NodeStatus>(`${api}/status`);
        const now = await read<Record<string, Answer>>(
          `${twin}/features/env/prediction?at=${lastMs}`,
        );
        const isHeard = names.every((name) => now[name]!.expectedError <= tolerances[name]);
        return devices[0]?.online === true && isHeard;
      });
      for (const [index, answer] of (await askForAll(twin, startedMs)).entries()) {
        for (const name of names) {
          const { value, expectedError, errorBasis } = answer[name]!;
          const error = Math.abs(value - record[index]![name]);
          assert.ok(error <= tolerances[name], `${name} ${index}: off by ${error}`);
          assert.ok(error <= expectedError, `${name} ${index}: ${errorBasis} ${expectedError}`);
        }
      }
      assert.equal(agent.supervised.restarts, 3);
      assert.equal(edge.supervised.restarts, 1);
    } finally {
      await agent.supervised.stop();
      await edge.supervised.stop();
    }
    for (const name of names) {
      const series = readSeries(edge.dataFolder, { device: 'device', property: `env/${name}` });
      t.diagnostic(`${name}: ${series.length} of ${record.length} samples were sent`);
      assert.ok(series.length * 5 < record.length, 'far fewer messages than samples');
      const silences = series.slice(1).map(({ timeMs }, i) => timeMs - series[i]!.timeMs);
      assert.ok(Math.max(...silences) <= HEARTBEAT_MS + PERIOD_MS + 1, `${Math.max(...silences)}`);
    }
    assert.deepEqual([...edge.fatal, ...agent.fatal], []);
  });
});
