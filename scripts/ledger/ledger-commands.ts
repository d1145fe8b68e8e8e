import { type Command, InvalidArgumentError } from 'commander';
import { addLedgerFileCommands } from './ledger-file-commands.ts';
import type { SubmitOptions } from './submit-transaction.ts';

/** Adds `diten ledger ...` to the program; each action loads what it needs when it runs. */
export function addLedgerCommands(program: Command): void {
  const ledger = program.command('ledger').description('the ledger of the edge nodes');
  addLedgerFileCommands(ledger);
  addSubmit(ledger);
  addMember(ledger);

  ledger
    .command('simulate')
    .description('run simulated networks of validators, with faults and attackers, from seeds')
    .option('--seeds <n>', 'how many', wholeNumber, 200)
    .option('--first-seed <n>', 'the first of them', wholeNumber, 1)
    .option('--nodes <n>', 'validators (default: as the seed has it)', wholeNumber)
    .option('--faults <names>', 'of these only, separated by commas')
    .action(
      async ({ faults, ...options }: { seeds: number; firstSeed: number; faults?: string }) => {
        const { FAULTS, parseFaults } = await import('./simulation/simulation-plan.ts');
        const { runSimulate } = await import('./simulation/simulate.ts');
        const chosen = faults === undefined ? FAULTS : parseFaults(faults);
        process.exitCode = runSimulate({ nodes: undefined, ...options, faults: chosen });
      },
    );

  ledger
    .command('replay-trace')
    .description('follow traces of the specification (ITF, as JSON) and compare every state')
    .argument('<files...>', 'the traces; .gz is unpacked')
    .action(async (files: string[]) => {
      const { runReplayTrace } = await import('./trace/replay-trace.ts');
      process.exitCode = runReplayTrace(files);
    });

  ledger
    .command('mutants')
    .description('take rule after rule out of the consensus core and look whether it is noticed')
    .option('--only <text>', 'those that hold this text', '')
    .action(async ({ only }: { only: string }) => {
      const { MUTANTS, runMutants } = await import('./mutants/run-mutants.ts');
      const chosen = MUTANTS.filter(({ file, name }) => `${file} ${name}`.includes(only));
      process.exitCode = await runMutants(chosen);
    });

  ledger
    .command('check')
    .description('verify the proof of a record: needs the two files, no database and no network')
    .argument('<proof>', 'a .tlog-proof file')
    .requiredOption('--policy <file>', 'whom to trust: a policy file of that chain')
    .action(async (proof: string, { policy }: { policy: string }) => {
      const { runCheckProof } = await import('./check-proof.ts');
      runCheckProof(proof, policy);
    });
}

function addMember(ledger: Command): void {
  ledger
    .command('member')
    .description('print what "submit validator.add" takes of an edge node that is to join')
    .requiredOption('--name <name>', 'its name among the members')
    .requiredOption('--data <dir>', 'its data folder; its key is made there if it has none')
    .requiredOption('--address <multiaddr...>', 'where the others reach it: /ip4/.../tcp/4100')
    .option('--weight <n>', 'its share of the vote; 0 to follow only', wholeWeight, 1)
    .action(async ({ name, data, address, weight }: MemberOptions) => {
      const { memberText } = await import('./init-ledger.ts');
      console.log(memberText({ name, dataFolder: data, addresses: address, weight }));
    });
}

interface MemberOptions {
  readonly name: string;
  readonly data: string;
  readonly address: readonly string[];
  readonly weight: number;
}

function addSubmit(ledger: Command): void {
  ledger
    .command('submit')
    .description("sign a transaction with an operator's key, and wait until it is on the ledger")
    .argument('<type>', 'such as device.enrol, device.revoke, validator.add, validator.remove')
    .argument('<body>', 'JSON, or a file of JSON or TOML')
    .requiredOption('--url <url>', "a running node's API, such as http://127.0.0.1:8080")
    .requiredOption('--key <file>', "the operator's key (operator-key.pem)")
    .option('--json', 'for scripts', false)
    .action(async (type: string, body: string, options: SubmitOptions) => {
      const { runSubmit } = await import('./submit-transaction.ts');
      process.exitCode = await runSubmit(type, body, options);
    });
}

function wholeWeight(text: string): number {
  const weight = Number(text);
  if (!Number.isInteger(weight) || weight < 0 || weight > 1000) {
    throw new InvalidArgumentError('give a whole number from 0 to 1000');
  }
  return weight;
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 2 ** 31) {
    throw new InvalidArgumentError('give a whole number, 1 or more');
  }
  return number;
}
