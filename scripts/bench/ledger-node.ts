import { createInterface } from 'node:readline';
import { edgeConfigSchema } from '#edge-node/edge-config.ts';
import { startLedger } from '#edge-node/ledger/start-ledger.ts';
import { systemClock } from '#runtime/clock/system-clock.ts';
import { loadConfig } from '#runtime/config/load-config.ts';
import { openDataFolder } from '#runtime/database/data-folder.ts';
import { openSigningKey } from '#runtime/identity/signing-key.ts';
import { createEvents } from '#runtime/observe/events.ts';
import { createLog } from '#runtime/observe/log.ts';
import { accountSignerOf } from '#shared/identity/account-key.ts';
import { Revocations } from './ledger-revocations.ts';
import { VersionStream } from './ledger-transactions.ts';

// The ledger part of an edge node as `diten bench ledger` has it run: see diten-validators.ts for
// what is said and answered. After the configuration come the operator's key file, and those
// of the keys that sign its transactions.

const STOCK = 1500;

const [configFile, operatorFile, ...keyFiles] = process.argv.slice(2);
const config = loadConfig(configFile!, edgeConfigSchema);
const log = createLog(config.id, config.log.level);
const folder = openDataFolder(config.data);
const events = createEvents(log, systemClock);
const started = await startLedger({ config, folder, clock: systemClock, events, log });
const { ledger } = started;
const operator = accountSignerOf(openSigningKey(operatorFile!));
const revocations = new Revocations(ledger, operator);
const streams = keyFiles.map((file) => {
  return new VersionStream(accountSignerOf(openSigningKey(file)), config.group);
});

for await (const line of createInterface({ input: process.stdin })) {
  const { id, ...command } = JSON.parse(line) as NodeCommand & { readonly id: number };
  void answer(command).then((result) => say({ id, ...result }));
}
await started[Symbol.asyncDispose]();
process.exit();

export type NodeCommand =
  | { readonly kind: 'status' }
  | { readonly kind: 'prepare' }
  | { readonly kind: 'revoke'; readonly seconds: number }
  | { readonly kind: 'load'; readonly inFlight: number; readonly seconds: number };

async function answer(command: NodeCommand): Promise<object> {
  switch (command.kind) {
    case 'status': {
      const { head, peers, signing } = ledger.status();
      return { height: head.height, peers, signing };
    }
    case 'prepare':
      for (const stream of streams) stream.prepare(STOCK);
      return {};
    case 'revoke':
      return { latenciesMs: await revocations.measure(command.seconds) };
    case 'load':
      return load(command.inFlight, command.seconds);
  }
}

async function load(inFlight: number, seconds: number): Promise<object> {
  const latenciesMs: number[] = [];
  const endMs = performance.now() + seconds * 1000;
  const submitters = Array.from({ length: inFlight }, async (_, index) => {
    const stream = streams[index % streams.length]!;
    for (let startMs = performance.now(); startMs < endMs; startMs = performance.now()) {
      const receipt = await ledger.submitEncoded(stream.next());
      if (!receipt.ok) return receipt.error;
      if (receipt.value.outcome !== 'accepted') return { code: receipt.value.outcome };
      const nowMs = performance.now();
      if (nowMs <= endMs) latenciesMs.push(nowMs - startMs);
    }
    return undefined;
  });
  const failure = (await Promise.all(submitters)).find((error) => error !== undefined);
  return failure === undefined ? { latenciesMs } : { failure };
}

function say(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
