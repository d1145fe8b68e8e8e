import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'smol-toml';
import { seededRandom } from '#shared/basics/seeded-random.ts';
import { freePorts } from '../free-ports.ts';
import { superviseProgram } from '../trial/supervisor.ts';
import { until } from './deadline.ts';

const root = mkdtempSync(join(tmpdir(), 'diten-control-crash-'));
after(() => rmSync(root, { recursive: true }));

const EDITS = 40;
const random = seededRandom(5);

function program(kind: 'edge' | 'device', config: object) {
  const folder = join(root, kind);
  const dataFolder = join(folder, 'data');
  mkdirSync(folder);
  const configFile = join(folder, 'config.toml');
  writeFileSync(configFile, stringify({ id: kind, group: 'lab', data: dataFolder, ...config }));
  const fatal: Error[] = [];
  const hooks = { onRestart: () => undefined, onFatal: (error: Error) => fatal.push(error) };
  const supervised = superviseProgram({ name: kind, kind, configFile, dataFolder }, hooks);
  return { supervised, fatal };
}

describe('control plane, killed in the middle', { timeout: 120_000 }, () => {
  it('keeps every desired value it said yes to, and comes to an end with the newest', async () => {
    const [mqtt, http] = (await freePorts(2)) as [number, number];
    const edge = program('edge', { mqtt: { port: mqtt }, http: { port: http } });
    const device = program('device', {
      mqtt: { url: `mqtt://127.0.0.1:${mqtt}` },
      sensors: [{ kind: 'host' }],
      actuators: [{ kind: 'simulated', property: 'led/on' }],
    });
    const url = `http://127.0.0.1:${http}/api/2/things/lab:device`;
    const desired = `${url}/features/led/desiredProperties/on`;
    try {
      await until(async () => (await read(url)) !== undefined);
      const kept = new Map<string, boolean>();
      for (let edits = 0; edits < EDITS; edits++) {
        if (edits % 4 === 1) {
          const { supervised } = random() < 0.7 ? edge : device;
          const { pid } = supervised;
          setTimeout(() => kill(pid), 30 * random());
        }
        const value = edits % 2 === 0;
        await until(async () => {
          const revision = await put(desired, value);
          if (revision !== undefined) kept.set(revision, value);
          return revision !== undefined;
        });
        await sleep(20 * random());
      }
      await until(async () => {
        const [entry] = ((await read(`${url}/delta`)) ?? []) as { state: string }[];
        return entry?.state === 'in-step';
      });
      assert.equal(await read(desired), EDITS % 2 === 1);
      for (const [revision, value] of kept) {
        assert.equal(await read(`${desired}?at-historical-revision=${revision}`), value);
      }
      assert.equal(kept.size, EDITS);
      assert.ok(edge.supervised.restarts >= 3, `${edge.supervised.restarts} restarts`);
    } finally {
      await device.supervised.stop();
      await edge.supervised.stop();
    }
    assert.deepEqual([...edge.fatal, ...device.fatal], []);
  });
});

function kill(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ESRCH'); // it is just being restarted
  }
}

/** The body of what is there; `undefined` where nothing answers, or with an error. */
async function read(url: string): Promise<unknown> {
  try {
    const response = await fetch(url);
    return response.ok ? await response.json() : undefined;
  } catch {
    return undefined; // killed just now
  }
}

/** The revision in which the value was kept; `undefined` where that is not known. */
async function put(url: string, value: boolean): Promise<string | undefined> {
  try {
    const response = await fetch(url, {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(value),
    });
    const [, revision] = /^"rev:(\d+)"$/.exec(response.headers.get('etag') ?? '') ?? [];
    return response.ok ? revision : undefined;
  } catch {
    return undefined; // killed under way: perhaps kept, perhaps not
  }
}
