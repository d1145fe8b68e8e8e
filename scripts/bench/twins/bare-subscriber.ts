import { createInterface } from 'node:readline';
import { connectMqtt } from '#runtime/mqtt/mqtt-js-client.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { decodeCbor } from '#shared/codec/canonical.ts';
import { committedCodec } from '#shared/wire/telemetry.ts';
import { deviceOfTopic, everyDevice, topicOf } from '#shared/wire/topics.ts';
import { BENCH_GROUP } from './virtual-device.ts';

// What no store of twins can do better: it reads each message only so far as to acknowledge it at
// once, and keeps nothing. Ends with its standard input.
interface Message {
  readonly epoch: string;
  readonly first: number;
  readonly samples: readonly unknown[];
}

const mqtt = connectMqtt({
  url: `mqtt://127.0.0.1:${process.argv[2]}`,
  ...{ clientId: 'bare-subscriber', keepaliveSeconds: 60, reconnectPeriodMs: 50, log: silentLog },
});
await mqtt.subscribe(everyDevice(BENCH_GROUP, 'data'), ({ topic, payload }) => {
  const decoded = decodeCbor(payload);
  const device = deviceOfTopic(topic);
  if (!decoded.ok || device === undefined) return;
  const { epoch, first, samples } = decoded.value as unknown as Message;
  const committed = { v: 1, epoch, sequence: first + samples.length - 1 } as const;
  const options = { qos: 1, retain: true } as const;
  const answered = mqtt.publish(
    topicOf(BENCH_GROUP, device, 'committed'),
    committedCodec.encode(committed),
    options,
  );
  answered.catch(() => undefined); // the device sends again
});
mqtt.onConnectionChange((connected) => connected && console.log('ready'));
for await (const _ of createInterface({ input: process.stdin }));
process.exit(0);
