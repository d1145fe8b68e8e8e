import { createInterface } from 'node:readline';
import { loadFeedback } from './feedback-load.ts';
import { type HttpRequest, loadHttp } from './http-load.ts';
import type { HttpLoadKind, LoadCommand } from './load-command.ts';
import { StreamLoad } from './stream-load.ts';
import { BENCH_GROUP, PROPERTIES, VirtualDevice } from './virtual-device.ts';

// A load generator: commands come in line by line, and each is answered with a line of JSON.
const FILLING_AT_A_TIME = 100;
const FILL_PREFIX = 'filled';
const PREFIX = 'device';
let devices: StreamLoad | undefined;

async function perform(command: LoadCommand): Promise<unknown> {
  switch (command.kind) {
    case 'connect':
      devices = await StreamLoad.connect({ ...command, prefix: PREFIX });
      return {};
    case 'saturate':
      return await devices!.saturate(command);
    case 'pace':
      return { latenciesMs: await devices!.pace(command) };
    case 'overload':
      return await devices!.overload(command);
    case 'fill':
      return await fill(command);
    case 'feedback':
      return { latenciesMs: await loadFeedback(command.port, command.seconds) };
    case 'http':
      return await loadHttp(command.port, httpRequest(command.what, command.things), command);
  }
}

/** Devices that come, report each of their properties once, and go. */
async function fill({ port, count }: { port: number; count: number }): Promise<object> {
  let next = 0;
  const lanes = Array.from({ length: FILLING_AT_A_TIME }, async () => {
    for (let n = next++; n < count; n = next++) {
      await using device = await VirtualDevice.connect({ port, name: `${FILL_PREFIX}-${n}` });
      const { promise, resolve } = Promise.withResolvers<void>();
      device.onCommitted = () => resolve();
      await device.send(PROPERTIES.length);
      await promise;
    }
  });
  await Promise.all(lanes);
  return {};
}

function httpRequest(what: HttpLoadKind, things: number): (n: number) => HttpRequest {
  // A prime apart, so that neighbours in time are none in the store.
  const path = (n: number) =>
    `/api/2/things/${BENCH_GROUP}:${FILL_PREFIX}-${(n * 7919) % Math.max(1, things)}`;
  const [feature, property] = PROPERTIES[0]!.split('/');
  switch (what) {
    case 'thing':
      return (n) => ({ method: 'GET', path: path(n) });
    case 'property':
      return (n) => ({
        method: 'GET',
        path: `${path(n)}/features/${feature}/properties/${property}`,
      });
    case 'edit':
      return (n) => ({ method: 'PUT', path: `${path(n)}/attributes/edited`, body: `${n}` });
    case 'search': {
      const wanted = `features/${feature}/properties/${PROPERTIES[1]!.split('/')[1]}`;
      return (n) => ({
        method: 'GET',
        path: `/api/2/search/things?filter=gt(${wanted},${n % 5})&option=size(25)`,
      });
    }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    const answer = await perform(JSON.parse(line) as LoadCommand);
    console.log(JSON.stringify(answer));
  } catch (error) {
    console.log(JSON.stringify({ failure: (error as Error).message }));
  }
}
process.exit(0);
