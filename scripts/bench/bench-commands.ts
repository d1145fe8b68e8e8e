import { type Command, InvalidArgumentError } from 'commander';

/** Adds `diten bench ...` to the program. */
export function addBenchCommands(program: Command): void {
  const bench = program.command('bench').description('measure this machine');
  bench
    .command('training')
    .description(
      'training speed and memory: step by step, whole epochs, and PyTorch if there is one',
    )
    .option('--python <file>', 'a Python that has torch', 'python3')
    .option('--models <name,...>', 'only these')
    .option('--rounds <n>', 'turns each contender gets', wholeRounds, 7)
    .option('--json <file>', 'write the report there')
    .action(async (options) => {
      const { benchTraining } = await import('./bench-training.ts');
      process.exitCode = await benchTraining(options);
    });
  bench
    .command('ledger')
    .description(
      "four validators: latency, throughput, idle use, catching up; and CometBFT's if there is one",
    )
    .option('--seconds <n>', 'how long each measurement takes', wholeSeconds, 10)
    .option('--rounds <n>', 'turns each contender gets', wholeRounds, 3)
    .option('--cometbft <file>', "CometBFT's program", 'cometbft')
    .option('--json <file>', 'write the report there')
    .action(async (options) => {
      const { benchLedger } = await import('./bench-ledger.ts');
      process.exitCode = await benchLedger(options);
    });
  bench
    .command('twins')
    .description(
      'an edge node under load: updates, latencies, reads, edits, memory, overload; and the same ' +
        'stream through Mosquitto if there is one',
    )
    .option('--seconds <n>', 'how long each measurement takes', wholeSeconds, 5)
    .option('--rounds <n>', 'turns each measurement gets', wholeRounds, 3)
    .option('--twins <n>', 'twins there are', wholeTwins, 10_000)
    .option('--devices <n>', 'devices that report at the same time', wholeDevices, 20)
    .option('--mosquitto <file>', "Mosquitto's program", 'mosquitto')
    .option('--data <dir>', 'where its files are made (default: the folder for temporary ones)')
    .option('--json <file>', 'write the report there')
    .action(async (options) => {
      const { benchTwins } = await import('./bench-twins.ts');
      process.exitCode = await benchTwins(options);
    });
}

function wholeTwins(text: string): number {
  const twins = Number(text);
  if (Number.isInteger(twins) && twins >= 1 && twins <= 100_000) return twins;
  throw new InvalidArgumentError('give whole twins from 1 to 100000');
}

function wholeDevices(text: string): number {
  const devices = Number(text);
  if (Number.isInteger(devices) && devices >= 1 && devices <= 900) return devices;
  throw new InvalidArgumentError('give whole devices from 1 to 900');
}

function wholeRounds(text: string): number {
  const rounds = Number(text);
  if (Number.isInteger(rounds) && rounds >= 1 && rounds <= 1000) return rounds;
  throw new InvalidArgumentError('give whole rounds from 1 to 1000');
}

function wholeSeconds(text: string): number {
  const seconds = Number(text);
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= 600) return seconds;
  throw new InvalidArgumentError('give whole seconds from 1 to 600');
}
