import { setTimeout as sleep } from 'node:timers/promises';
import { desiredCodec } from '#shared/wire/control.ts';
import { topicOf } from '#shared/wire/topics.ts';
import { BENCH_GROUP, PROPERTIES, VirtualDevice } from './virtual-device.ts';

const ANSWER_MS = 10_000;
/** What the rule sets. */
const OUTPUT = 'warning/output';
/** Of the devices that the rule is for, and only they are. */
const FEEDBACK_DEVICE = 'feedback-0';

/** The feedback rule of the edge node that is measured. */
export const benchRule = {
  name: 'warn',
  device: FEEDBACK_DEVICE,
  threshold: { property: PROPERTIES[1]!, above: 0.75, clear: 0.25 },
  set: { property: OUTPUT, value: true, otherwise: false },
  releaseMs: 0,
};

/**
 * One value after another that turns the rule, each when the device has heard what it led to; the
 * latencies are from a value's sending until what it makes desired has come back.
 */
export async function loadFeedback(port: number, seconds: number): Promise<number[]> {
  await using device = await VirtualDevice.connect({ port, name: FEEDBACK_DEVICE });
  const latenciesMs: number[] = [];
  let heard: (value: unknown) => void = () => undefined;
  await device.mqtt.subscribe(topicOf(BENCH_GROUP, device.name, 'desired'), ({ payload }) => {
    const decoded = desiredCodec.decode(payload);
    if (!decoded.ok) return;
    heard(decoded.value.properties.find(({ path }) => path === OUTPUT)?.value);
  });
  const endMs = performance.now() + 1000 * seconds;
  for (let on = true; performance.now() < endMs || latenciesMs.length === 0; on = !on) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    heard = (value) => value === on && resolve();
    const timer = setTimeout(() => reject(new Error('the rule did not answer')), ANSWER_MS);
    const sentMs = performance.now();
    // All five properties in turn, so that each message holds the one of the rule.
    await device.send(PROPERTIES.length, on ? 1 : 0);
    await promise;
    clearTimeout(timer);
    latenciesMs.push(performance.now() - sentMs);
    // Not in step with the gathering of the commit before.
    await sleep(latenciesMs.length % 7);
  }
  return latenciesMs;
}
