import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Broker, startBroker } from '#edge-node/broker/broker.ts';
import { systemClock } from '#runtime/clock/system-clock.ts';
import type { MqttClient } from '#runtime/mqtt/mqtt-client.ts';
import { createEvents } from '#runtime/observe/events.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { ok } from '#shared/basics/result.ts';
import type { DraftCapture } from '#shared/sparkplug/conformance/draft.fixture.ts';
import { soundCapture } from '#shared/sparkplug/conformance/sound-capture.fixture.ts';

const PROGRAM = join(import.meta.dirname, '..', 'diten.ts');
const open = {
  connect: () => ok(undefined),
  publish: () => ok(undefined),
  subscribe: () => ok(undefined),
};

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly complaint: string;
}

/** Runs the command; `onListening` once it says that it listens. */
async function doctor(args: readonly string[], onListening?: () => Promise<void>): Promise<Ran> {
  const child = spawn(process.execPath, [PROGRAM, 'doctor', 'sparkplug', ...args]);
  const ran = { out: '', complaint: '' };
  let started: Promise<void> | undefined;
  child.stderr.setEncoding('utf8').on('data', (text) => {
    ran.complaint += text;
  });
  child.stdout.setEncoding('utf8').on('data', (text) => {
    ran.out += text;
    if (ran.out.startsWith('listening')) started ??= onListening?.();
  });
  const { promise, resolve } = Promise.withResolvers<number | null>();
  child.once('close', resolve);
  const code = await promise;
  await started;
  return { code, ...ran };
}

describe('diten doctor sparkplug', { timeout: 60_000 }, () => {
  let folder: string;
  let broker: Broker;
  let speaker: MqttClient;
  const file = (name: string) => join(folder, name);

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'diten-doctor-'));
    const limits = { payloadSizeBytesMax: 2 ** 20, clientsMax: 10 };
    const events = createEvents(silentLog, systemClock);
    broker = await startBroker({ host: '127.0.0.1', port: 0, ...limits, access: open, events });
    speaker = broker.localClient();
  });
  after(async () => {
    await broker[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Listens while what the capture has is published. */
  async function hear(draft: DraftCapture, ...args: readonly string[]): Promise<Ran> {
    const url = `mqtt://127.0.0.1:${broker.port}`;
    return doctor(['--url', url, '--seconds', '2', ...args], async () => {
      for (const event of draft.seal()) {
        if (event.kind !== 'publish') continue;
        const { topic, payload, qos, retain = false } = event;
        await speaker.publish(topic, payload, { qos: qos as 0 | 1, retain });
      }
    });
  }

  it('finds nothing wrong with sound traffic on a real broker', async () => {
    const ran = await hear(soundCapture(Date.now()), '--json', file('sound.json'));
    assert.equal(ran.complaint, '');
    assert.match(ran.out, /: 0 MUST and 0 SHOULD fail, \d{3} pass, \d+ not seen; /);
    assert.match(ran.out, /^pass +MUST +tck-id-payloads-nbirth-seq \(6\.4\.19\): 3$/m);
    assert.match(ran.out, /messages of 1 edge nodes, 1 devices and 1 hosts$/m);
    assert.equal(ran.code, 0);
    const report = JSON.parse(readFileSync(file('sound.json'), 'utf8'));
    assert.equal(report.summary.failMust, 0);
    assert.equal(report.assertions.length, 268);
  });

  it('shows the message that breaks an assertion', async () => {
    const broken = soundCapture(Date.now());
    broken.set('ndata', 'qos', 1);
    const ran = await hear(broken);
    assert.equal(ran.code, 1);
    const line =
      /^fail +MUST +tck-id-payloads-ndata-qos \(6\.4\.21\): 1 of \d+: its QoS is 1; (\S+)/m;
    assert.equal(line.exec(ran.out)?.[1], 'spBv1.0/plant/NDATA/press');
    assert.match(ran.out, /: 2 MUST and 0 SHOULD fail/);
  });

  it('sees the retain flag of what the broker had kept', async () => {
    const broken = soundCapture(Date.now());
    broken.set('dbirth', 'retain', true);
    await hear(broken);
    const ran = await hear(soundCapture(Date.now()));
    assert.match(ran.out, /^fail +MUST +tck-id-payloads-dbirth-retain .*: it is retained; /m);
    assert.match(ran.out, /^pass +MUST +tck-id-host-topic-phid-death-retain /m);
  });

  it('grades a capture', async () => {
    const write = (name: string, draft: DraftCapture) => {
      const messages = draft.seal().map((event) => {
        if (!('payload' in event)) return { ...event, at: new Date(event.at).toISOString() };
        const { payload, ...rest } = event;
        return { ...rest, payload_b64: Buffer.from(payload).toString('base64') };
      });
      writeFileSync(file(name), JSON.stringify({ messages }));
      return doctor(['--capture', file(name)]);
    };
    const sound = await write('whole.json', soundCapture());
    assert.match(sound.out, /: 0 MUST and 0 SHOULD fail, 265 pass, 3 not seen/);
    assert.equal(sound.code, 0);
    const broken = soundCapture();
    broken.set('edge will', 'qos', 0);
    const ran = await write('broken.json', broken);
    assert.match(ran.out, /^fail +MUST +tck-id-payloads-ndeath-will-message-qos /m);
    assert.equal(ran.code, 1);
  });

  it('says in a line what is the matter where it cannot grade', async () => {
    writeFileSync(file('odd.json'), '{"messages":[{"topic":1}]}');
    const cases: [string[], number, RegExp][] = [
      [['--url', 'mqtt://127.0.0.1:1'], 1, /\[broker-unreachable\]/],
      [['--url', '127.0.0.1'], 78, /\[broker-url-invalid\]/],
      [['--capture', file('none.json')], 1, /\[capture-unreadable\]/],
      [['--capture', file('odd.json')], 1, /\[capture-invalid\]/],
    ];
    for (const [args, code, says] of cases) {
      const ran = await doctor(args);
      assert.match(ran.complaint, /^diten: [^\n]+\n$/);
      assert.match(ran.complaint, says);
      assert.equal(ran.code, code);
    }
    assert.equal((await doctor(['--seconds', '0'])).code, 2);
  });
});
