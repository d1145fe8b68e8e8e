import { writeFileSync } from 'node:fs';
import { type Overhearing, overhearMqtt } from '#runtime/mqtt/overhear-mqtt.ts';
import { exitCode } from '#runtime/process/program-error.ts';
import type { Capture, PublishEvent } from '#shared/sparkplug/conformance/capture.ts';
import { type Grade, grade } from '#shared/sparkplug/conformance/grade.ts';
import { readCapture } from './capture-file.ts';

/** More than this is not kept: the doctor grades what it has, and says so. */
const MESSAGES_MAX = 200_000;
const SIZE_BYTES_MAX = 64 * 2 ** 20;
/** The second and third are of Sparkplug's past, which nobody should speak any more. */
const FILTERS = ['spBv1.0/#', 'STATE/#', 'spAv1.0/#'];

export interface DoctorOptions {
  readonly seconds: number;
  readonly url: string;
  readonly capture?: string;
  /** Milliseconds. */
  readonly reorderTimeout?: number;
  readonly json?: string;
}

/**
 * Grades Sparkplug traffic and prints a line for each assertion; returns the exit code: 1 where
 * one at the level of MUST fails.
 *
 * Errors: those of `overhearMqtt` and `readCapture`.
 */
export async function doctorSparkplug(options: DoctorOptions): Promise<number> {
  const capture =
    options.capture === undefined ? await record(options) : readCapture(options.capture);
  const grades = grade(capture, { reorderTimeoutMs: options.reorderTimeout });
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify(reportOf(capture, grades), undefined, 2)}\n`);
  }
  for (const line of describe(grades)) console.log(line);
  console.log(summarise(capture, grades));
  return failsMust(grades) ? exitCode.failed : exitCode.ok;
}

/** Listens for so many seconds, or until interrupted, full, or cut off; the last two it tells. */
async function record({ url, seconds }: DoctorOptions): Promise<Capture> {
  const kept: PublishEvent[] = [];
  const live: PublishEvent[] = [];
  let sizeBytes = 0;
  const over = Promise.withResolvers<string | undefined>();
  const overhearing: Overhearing = await overhearMqtt({
    url,
    filters: FILTERS,
    onMessage({ topic, payload, qos, retain, kept: isKept }) {
      sizeBytes += payload.length + topic.length;
      if (kept.length + live.length >= MESSAGES_MAX || sizeBytes > SIZE_BYTES_MAX) {
        over.resolve(`more came than is kept (${MESSAGES_MAX} messages, ${SIZE_BYTES_MAX} bytes)`);
        return;
      }
      const event = { kind: 'publish', at: Date.now(), topic, qos, retain, payload } as const;
      if (isKept) kept.push({ ...event, kept: true });
      else live.push(event);
    },
    onLost: () => over.resolve('the connection to the broker went'),
  });
  const version = overhearing.protocol === 5 ? '5' : '3.1.1';
  console.log(`listening over MQTT ${version} for ${seconds} s`);
  const timer = setTimeout(over.resolve, seconds * 1000, undefined);
  const interrupted = () => over.resolve('interrupted');
  process.once('SIGINT', interrupted);
  const early = await over.promise;
  process.off('SIGINT', interrupted);
  clearTimeout(timer);
  await overhearing[Symbol.asyncDispose]();
  if (early !== undefined) console.log(`ended early: ${early}`);
  // What the broker had kept is older than all that came live.
  return [...kept, ...live];
}

function* describe(grades: readonly Grade[]): Generator<string> {
  const order = ['not-seen', 'pass', 'fail'];
  const sorted = [...grades].sort((a, b) => order.indexOf(a.outcome) - order.indexOf(b.outcome));
  for (const { assertion, outcome, passes, failures, fault } of sorted) {
    const { id, level, section, needs } = assertion;
    const head = `${outcome.replace('-', ' ').padEnd(8)} ${level.padEnd(6)} ${id} (${section})`;
    if (outcome === 'not-seen') {
      yield needs === 'connections' ? `${head}: needs a capture from within the broker` : head;
    } else if (fault === undefined) yield `${head}: ${passes}`;
    else {
      const { message, event } = fault;
      const where = 'topic' in event ? event.topic : event.client;
      const count = `${failures} of ${failures + passes}`;
      yield `${head}: ${count}: ${message}; ${where} at ${timeOf(event.at)}`;
    }
  }
}

function summarise(capture: Capture, grades: readonly Grade[]): string {
  const tally = tallyOf(grades);
  const { messages, nodes, devices, hosts } = countSpeakers(capture);
  const heard =
    messages === 0
      ? 'nothing of Sparkplug was heard'
      : `${messages} messages of ${nodes} edge nodes, ${devices} devices and ${hosts} hosts`;
  return (
    `${grades.length} assertions: ${tally.failMust} MUST and ${tally.failShould} SHOULD fail, ` +
    `${tally.pass} pass, ${tally.notSeen} not seen; ${heard}`
  );
}

function tallyOf(grades: readonly Grade[]) {
  const count = (outcome: Grade['outcome'], level?: 'MUST' | 'SHOULD') =>
    grades.filter(
      (one) => one.outcome === outcome && (level ?? one.assertion.level) === one.assertion.level,
    ).length;
  return {
    failMust: count('fail', 'MUST'),
    failShould: count('fail', 'SHOULD'),
    pass: count('pass'),
    notSeen: count('not-seen'),
  };
}

function countSpeakers(capture: Capture) {
  const nodes = new Set<string>();
  const devices = new Set<string>();
  const hosts = new Set<string>();
  let messages = 0;
  for (const event of capture) {
    if (event.kind !== 'publish') continue;
    messages++;
    const [, group = '', verb, node, device] = event.topic.split('/');
    if (group === 'STATE') hosts.add(verb ?? '');
    else if (node !== undefined) nodes.add(`${group}/${node}`);
    if (device !== undefined) devices.add(`${group}/${node}/${device}`);
  }
  return { messages, nodes: nodes.size, devices: devices.size, hosts: hosts.size };
}

function reportOf(capture: Capture, grades: readonly Grade[]) {
  return {
    heard: countSpeakers(capture),
    summary: tallyOf(grades),
    assertions: grades.map(({ assertion, outcome, passes, failures, fault }) => {
      const { id, section, level, applies } = assertion;
      const { event, message } = fault ?? {};
      const where = event && ('topic' in event ? event.topic : event.client);
      const broken = event && { message, where, at: timeOf(event.at) };
      return { id, section, level, applies, outcome, passes, failures, fault: broken };
    }),
  };
}

function timeOf(atMs: number): string {
  return new Date(atMs).toISOString();
}

function failsMust(grades: readonly Grade[]): boolean {
  return tallyOf(grades).failMust > 0;
}
