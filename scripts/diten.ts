import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { exitCode } from '#runtime/process/program-error.ts';
import { report } from '#runtime/process/run-program.ts';

// Each command loads its own part when it runs: a device agent must not pay for the edge node.
const program = new Command('diten')
  .description('Digital Twin Edge Network: device agents, edge nodes and field trials')
  .exitOverride()
  .showHelpAfterError('(diten --help lists the commands)');

program
  .command('device')
  .description('run a device agent')
  .requiredOption('--config <file>', 'TOML file of the agent')
  .action(async ({ config }: { config: string }) => {
    const { runDeviceAgent } = await import('#device-agent/main.ts');
    await runDeviceAgent(config);
  });

program
  .command('edge')
  .description('run an edge node')
  .requiredOption('--config <file>', 'TOML file of the node')
  .action(async ({ config }: { config: string }) => {
    const { runEdgeNode } = await import('#edge-node/main.ts');
    await runEdgeNode(config);
  });

program
  .command('trial')
  .description('run a field trial on this machine: an edge node and five device agents')
  .option('--seconds <n>', 'how long it runs, 10 or more', wholeSeconds, 90)
  .option('--data <dir>', 'an empty or new folder for its data (default: a temporary one)')
  .option('--keep', 'leave the temporary data folder in place', false)
  .option('--json <file>', 'write the report there')
  .action(async (options: { seconds: number; data?: string; keep: boolean; json?: string }) => {
    const { runTrial } = await import('./trial/run-trial.ts');
    process.exitCode = await runTrial(options);
  });

const ledger = program.command('ledger').description('what the ledger rests on');

ledger
  .command('simulate')
  .description('run simulated networks of validators, with faults and attackers, from seeds')
  .option('--seeds <n>', 'how many', wholeNumber, 200)
  .option('--first-seed <n>', 'the first of them', wholeNumber, 1)
  .option('--nodes <n>', 'validators (default: as the seed has it)', wholeNumber)
  .option('--faults <names>', 'of these only, separated by commas')
  .action(async ({ faults, ...options }: { seeds: number; firstSeed: number; faults?: string }) => {
    const { FAULTS, parseFaults } = await import('./ledger/simulation/simulation-plan.ts');
    const { runSimulate } = await import('./ledger/simulation/simulate.ts');
    const chosen = faults === undefined ? FAULTS : parseFaults(faults);
    process.exitCode = runSimulate({ nodes: undefined, ...options, faults: chosen });
  });

ledger
  .command('replay-trace')
  .description('follow traces of the specification (ITF, as JSON) and compare every state')
  .argument('<files...>', 'the traces; .gz is unpacked')
  .action(async (files: string[]) => {
    const { runReplayTrace } = await import('./ledger/trace/replay-trace.ts');
    process.exitCode = runReplayTrace(files);
  });

ledger
  .command('mutants')
  .description('take rule after rule out of the consensus core and look whether it is noticed')
  .option('--only <text>', 'those that hold this text', '')
  .action(async ({ only }: { only: string }) => {
    const { MUTANTS, runMutants } = await import('./ledger/mutants/run-mutants.ts');
    const chosen = MUTANTS.filter(({ file, name }) => `${file} ${name}`.includes(only));
    process.exitCode = await runMutants(chosen);
  });

function wholeNumber(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 2 ** 31) {
    throw new InvalidArgumentError('give a whole number, 1 or more');
  }
  return number;
}

function wholeSeconds(text: string): number {
  const seconds = Number(text);
  if (!Number.isInteger(seconds) || seconds < 10 || seconds > 86_400) {
    throw new InvalidArgumentError('give whole seconds from 10 to 86400');
  }
  return seconds;
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? exitCode.ok : exitCode.usage;
  } else {
    process.exitCode = report(error);
  }
}
