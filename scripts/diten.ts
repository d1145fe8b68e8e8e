import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { exitCode } from '#runtime/process/program-error.ts';
import { report } from '#runtime/process/run-program.ts';
import { addBenchCommands } from './bench/bench-commands.ts';
import { addChaosCommands } from './chaos/chaos-commands.ts';
import { addDoctorCommands } from './doctor/doctor-commands.ts';
import { addLedgerCommands } from './ledger/ledger-commands.ts';
import { addModelCommands } from './model/model-commands.ts';
import { addTokenCommands } from './token/token-commands.ts';
import type { TrialOptions } from './trial/run-trial.ts';
import type { VerifyOptions } from './trial/verify-delivery.ts';
import { addTwinCommands } from './twin/twin-commands.ts';

// Each command loads its own part when it runs: a device agent must not pay for the edge node.
const program = new Command('diten')
  .description('Digital Twin Edge Network: device agents, edge nodes, field trials and ONNX models')
  .enablePositionalOptions()
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

const trial = program
  .command('trial')
  .enablePositionalOptions()
  .description('run a field trial on this machine: edge nodes and five device agents')
  .option('--seconds <n>', 'how long it runs, 10 or more', wholeSeconds, 90)
  .option('--edges <n>', 'edge nodes, each a validator of the ledger, 1 to 10', edgeCount, 4)
  .option('--data <dir>', 'an empty or new folder for its data (default: a temporary one)')
  .option('--keep', 'leave the temporary data folder in place', false)
  .option('--json <file>', 'write the report there')
  .action(async (options: TrialOptions) => {
    const { runTrial } = await import('./trial/run-trial.ts');
    process.exitCode = await runTrial(options);
  });

trial
  .command('verify-delivery')
  .description('account for every sample of a trial, running or ended, from its files')
  .option('--data <dir>', "the trial's data folder (default: the newest temporary one)")
  .option('--json <file>', 'write the accounts there')
  .action(async (options: VerifyOptions) => {
    const { verifyDelivery } = await import('./trial/verify-delivery.ts');
    process.exitCode = verifyDelivery(options);
  });

addLedgerCommands(program);
addModelCommands(program);
addBenchCommands(program);
addDoctorCommands(program);
addChaosCommands(program);
addTwinCommands(program);
addTokenCommands(program);

function edgeCount(text: string): number {
  const edges = Number(text);
  if (!Number.isInteger(edges) || edges < 1 || edges > 10) {
    throw new InvalidArgumentError('give a whole number of edge nodes from 1 to 10');
  }
  return edges;
}

function wholeSeconds(text: string): number {
  const seconds = Number(text);
  if (!Number.isInteger(seconds) || seconds < 10 || seconds > 86_400) {
    throw new InvalidArgumentError('give whole seconds from 10 to 86400');
  }
  return seconds;
}

// Who reads has enough, as in `diten twin history mote-1 | head -1`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? exitCode.failed : report(error));
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? exitCode.ok : exitCode.usage;
  } else {
    process.exitCode = report(error);
  }
}
