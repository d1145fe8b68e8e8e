import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import type { HttpServer } from '#runtime/http/serve-http.ts';
import { reportsOf } from '../twins/prediction/reporting-device.fixture.ts';
import { TwinStore } from '../twins/twin-store.ts';
import { serveTwins } from './api.fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-prediction-api-'));
const clock = createManualClock(5000);
const twins = new TwinStore(join(folder, 'twins.sqlite'), { group: 'lab', nowMs: 0 });
const epoch = '0123456789abcdef';
let server: HttpServer;

before(async () => {
  server = await serveTwins({ twins, clock });
  const values = [20, 20.2, 21, 21.1, 22];
  const observed = values.map((value, i) => ({ timeMs: 1000 * i, value, quality: 'ok' as const }));
  const policy = { tolerance: 0.5, heartbeatMs: 10_000 };
  const sent = reportsOf(observed, { property: 'env/t', policy, predictor: 'hold' });
  const plain = { property: 'cpu/load', timeMs: 4000, value: 7, quality: 'ok' as const };
  const samples = [...sent, { ...plain, sequence: sent.length + 1 }];
  twins.commit([{ device: 'mote-1', message: { epoch, available: 1, samples } }], 4000);
  const units = { 'env/t': 'Cel' };
  twins.change('mote-1', { kind: 'presence', online: true, units, nowMs: 4000 });
});
after(async () => {
  await server[Symbol.asyncDispose]();
  twins[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

interface Answered {
  readonly [key: string]: unknown;
}

async function get(path: string): Promise<{ status: number; body: Answered }> {
  const response = await fetch(`${server.url}/api/2/things/lab:mote-1${path}`);
  return { status: response.status, body: (await response.json()) as Answered };
}

/** What stands at a path of an answer. */
function part(body: unknown, path: string): unknown {
  return path.split('/').reduce((value, key) => (value as Answered)[key], body);
}

const PREDICTED = '_predictions/features/env/properties/t';

const now = {
  ...{ value: 22, time: '1970-01-01T00:00:05.000Z', origin: 'predicted', quality: 'ok' },
  ...{ reported: '1970-01-01T00:00:04.000Z', ageMs: 1000, expectedError: 0.5 },
  ...{ errorBasis: 'tolerance', predictor: 'hold', tolerance: 0.5, unit: 'Cel' },
};

describe('what a twin takes a property to be', () => {
  it('is answered for a property and for a feature, with age and expected error', async () => {
    assert.deepEqual(await get('/features/env/prediction/t'), { status: 200, body: now });
    assert.deepEqual((await get('/features/env/prediction')).body, { t: now });
    const load = (await get('/features/cpu/prediction/load')).body;
    assert.deepEqual([load.value, load.expectedError, load.errorBasis], [7, null, 'untested']);
  });

  it('is answered for another time', async () => {
    const ask = async (at: string) => (await get(`/features/env/prediction/t?at=${at}`)).body;
    const then = await ask('3000');
    assert.deepEqual([then.value, then.ageMs, then.errorBasis], [21, 1000, 'tolerance']);
    assert.equal((await ask('1970-01-01T00:00:02Z')).origin, 'reported');
    assert.equal((await get('/features/env/prediction/t?at=x')).body.error, 'api:at.invalid');
  });

  it('comes with the thing where fields name it, and only then', async () => {
    const { body } = await get('?fields=thingId,_predictions');
    assert.deepEqual(Object.keys(body), ['thingId', '_predictions']);
    assert.deepEqual(part(body, PREDICTED), now);
    const value = await get(`?fields=${PREDICTED}/value`);
    assert.equal(part(value.body, `${PREDICTED}/value`), 22);
    assert.equal('ageMs' in (part(value.body, PREDICTED) as Answered), false);
    const whole = (await get('')).body;
    assert.equal('_predictions' in whole, false);
    assert.deepEqual(part(whole, 'features/env/properties'), { t: 22 });
    const response = await fetch(`${server.url}/api/2/things?fields=_predictions`);
    assert.equal(part(await response.json(), `0/${PREDICTED}/value`), 22);
  });

  it('comes with a past thing as of then', async () => {
    const query = '?fields=_predictions&at-historical-timestamp=4500';
    const { body } = await get(query);
    assert.equal(part(body, `${PREDICTED}/time`), '1970-01-01T00:00:04.500Z');
  });

  it('is refused for what is not there', async () => {
    for (const [path, error] of [
      ['/features/env/prediction/none', 'things:property.notfound'],
      ['/features/env/prediction/constructor', 'things:property.notfound'],
      ['/features/none/prediction', 'things:feature.notfound'],
      ['/features/env/prediction/t/more', 'api:path.notfound'],
    ] as const) {
      const { status, body } = await get(path);
      assert.deepEqual([status, body.error], [404, error]);
    }
    const url = `${server.url}/api/2/things/lab:mote-1/features/env/prediction/t`;
    const put = await fetch(url, { method: 'PUT', body: '1' });
    assert.equal(put.status, 405);
  });

  it('is a reason why what is desired is not so', async () => {
    const why = async () => {
      const reasons = part((await get('/why')).body, '0/reasons') as Answered[];
      return reasons.map(({ code, message }) => [code, message]);
    };
    const edit = { op: 'put', path: '/features/env/desiredProperties/t', value: 25 } as const;
    assert.ok(twins.change('mote-1', { kind: 'edited', nowMs: 5000, by: 'eve', edit }).ok);
    assert.deepEqual(
      (await why()).map(([code]) => code),
      ['unseen'],
    );
    const errors = [{ silentMs: 20_000, error: 3 }];
    twins.tracks.saveTests('mote-1', [{ property: 'env/t', predictor: 'hold', errors }]);
    clock.advance(24_000);
    const stale = ['stale', 'what is reported is 25 s old and may be off by 1.8'];
    assert.deepEqual((await why()).at(-1), stale);
  });
});
