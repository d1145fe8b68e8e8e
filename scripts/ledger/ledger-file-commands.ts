import { type Command, InvalidArgumentError } from 'commander';
import type { StatusOptions } from './ledger-status.ts';
import type { ProveOptions } from './prove-record.ts';
import type { TailOptions } from './tail-ledger.ts';
import type { VerifyOptions } from './verify-ledger.ts';

const FILE = "a node's ledger.sqlite; the node may be running";

/** Adds the commands that make a chain and read what a node keeps of it. */
export function addLedgerFileCommands(ledger: Command): void {
  addInit(ledger);

  ledger
    .command('status')
    .description("how a node's ledger stands")
    .option('--url <url>', "the running node's API, such as http://127.0.0.1:8080")
    .option('--file <file>', FILE)
    .option('--json', 'for scripts', false)
    .action(async (options: StatusOptions) => {
      const { runStatus } = await import('./ledger-status.ts');
      await runStatus(options);
    });

  ledger
    .command('tail')
    .description('blocks and transactions, a line each, as the node commits them')
    .requiredOption('--file <file>', FILE)
    .option('--from <height>', 'the first block shown (default: the newest)', height)
    .option('--json', 'a line of JSON a block', false)
    .action(async (options: TailOptions) => {
      const { runTail } = await import('./tail-ledger.ts');
      await runTail(options);
    });

  ledger
    .command('show')
    .description('a block by its height, or a record')
    .argument('<what>', "a height; a transaction's, version's or task's digest; a device's name")
    .requiredOption('--file <file>', FILE)
    .option('--json', 'for scripts', false)
    .action(async (what: string, options: { file: string; json: boolean }) => {
      const { runShow } = await import('./show-record.ts');
      runShow(what, options);
    });

  ledger
    .command('verify')
    .description('execute a file again from its genesis: signatures, certificates, state, log')
    .requiredOption('--file <file>', FILE)
    .option('--native', "by the node's own implementation of signatures: faster", false)
    .option('--json', 'for scripts', false)
    .action(async (options: VerifyOptions) => {
      const { runVerify } = await import('./verify-ledger.ts');
      process.exitCode = runVerify(options);
    });

  ledger
    .command('prove')
    .description('write the proof of a record, which "check" verifies anywhere')
    .argument('<record>', "a transaction's, version's or task's digest; a device's name")
    .requiredOption('--file <file>', FILE)
    .requiredOption('-o, --output <proof>', 'the proof (C2SP tlog-proof)')
    .option('--policy-out <policy>', 'whom it is to be checked against (C2SP tlog-policy)')
    .action(async (record: string, options: ProveOptions) => {
      const { runProve } = await import('./prove-record.ts');
      runProve(record, options);
    });
}

function addInit(ledger: Command): void {
  ledger
    .command('init')
    .description('make a chain: its genesis, and a folder for each edge node to begin with')
    .requiredOption('--nodes <n>', 'edge nodes, each with one vote', wholeNumber)
    .requiredOption('--out <folder>', 'an empty or new folder')
    .option('--chain <id>', 'name of the chain, and group of the nodes', 'site')
    .option('--host <address...>', 'where the others reach them: one for all, or one each', [
      '127.0.0.1',
    ])
    .option('--first-port <port>', 'where the first node of a machine listens', port, 4100)
    .action(async (options) => {
      const { initNodes } = await import('./init-nodes.ts');
      console.log(initNodes(options));
    });
}

function wholeNumber(text: string): number {
  return wholeIn(text, { least: 1, most: 1000 });
}

function port(text: string): number {
  return wholeIn(text, { least: 1, most: 65_535 });
}

function height(text: string): number {
  return wholeIn(text, { least: 1, most: 2 ** 48 });
}

function wholeIn(text: string, { least, most }: { least: number; most: number }): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= least && number <= most) return number;
  throw new InvalidArgumentError(`give a whole number from ${least} to ${most}`);
}
