/** A peer in a process of its own; its arguments: a seed, where to listen, the list as JSON. */
import { systemClock } from '#runtime/clock/system-clock.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { startLibp2pNetwork } from './libp2p-network.ts';

const [seed = '', listen = '', peers = '[]'] = process.argv.slice(2);
const network = await startLibp2pNetwork({
  seed: new Uint8Array(32).fill(Number(seed)),
  listen: [listen],
  clock: systemClock,
  log: silentLog,
});
network.onMessage((from, message) => network.send(from, message));
network.answer('resident-bytes', async () => Buffer.from(`${process.memoryUsage.rss()}`));
network.setPeers(new Map(JSON.parse(peers)));
// Timers of the network alone keep no process alive.
setInterval(() => undefined, 60_000);
process.stdout.write(`${JSON.stringify({ self: network.self, addresses: network.addresses })}\n`);
