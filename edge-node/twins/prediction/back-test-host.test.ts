import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { systemClock as clock } from '#runtime/clock/system-clock.ts';
import { createEvents } from '#runtime/observe/events.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { reportingCodec } from '#shared/wire/reporting.ts';
import { topicOf } from '#shared/wire/topics.ts';
import { deviceAccessRules } from '../../broker/access-rules.ts';
import { startBroker } from '../../broker/broker.ts';
import { TwinStore } from '../twin-store.ts';
import { startBackTestHost } from './back-test-host.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-back-tests-'));
after(() => rmSync(folder, { recursive: true }));

it('back-tests are kept, of devices that are known, and survive the process', async () => {
  const file = join(folder, 'twins.sqlite');
  const events = createEvents(silentLog, clock);
  const limits = { payloadSizeBytesMax: 2 ** 20, clientsMax: 10 };
  const access = deviceAccessRules('lab');
  await using broker = await startBroker({ host: '127.0.0.1', port: 0, ...limits, access, events });
  const mqtt = broker.localClient();
  const errors = [{ silentMs: 1000, error: 0.25 }];
  const tests = [{ property: 'env/t', predictor: 'hold', errors }];
  const message = reportingCodec.encode({ v: 1, epoch: '0123456789abcdef', tests });
  {
    using store = new TwinStore(file, { group: 'lab', nowMs: 0 });
    store.change('known', { kind: 'presence', online: true, units: {}, nowMs: 0 });
    await startBackTestHost({ store, mqtt, group: 'lab', events });
    for (const [device, payload] of [
      ['known', message],
      ['known', Uint8Array.of(1, 2, 3)],
      ['unknown', message],
    ] as const) {
      await mqtt.publish(topicOf('lab', device, 'reporting'), payload, { qos: 1 });
    }
    while ((events.counts()['message-invalid'] ?? 0) < 2) await new Promise(setImmediate);
  }
  using store = new TwinStore(file, { group: 'lab', nowMs: 0 });
  assert.deepEqual(store.tracks.testOf({ device: 'known', property: 'env/t' }), tests[0]);
  assert.equal(store.tracks.testOf({ device: 'known', property: 'env/h' }), undefined);
  assert.equal(store.tracks.testOf({ device: 'unknown', property: 'env/t' }), undefined);
});
