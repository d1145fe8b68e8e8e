import { type Command, InvalidArgumentError } from 'commander';
import { exitCode, ProgramError } from '#runtime/process/program-error.ts';
import type { ChaosOptions } from './chaos-delivery.ts';

const DAY_MINUTES = 1440;

/** Adds `diten chaos ...` to the program. */
export function addChaosCommands(program: Command): void {
  const chaos = program.command('chaos').description('break things on purpose, and count');
  chaos
    .command('delivery')
    .description(
      'kill, cut, fill and turn back an edge node and its devices, and account for every sample',
    )
    .option(
      '--minutes <n>',
      'how long faults are injected (default: 5)',
      wholeNumber(1, DAY_MINUTES),
    )
    .option('--seconds <n>', 'the same in seconds', wholeNumber(5, 60 * DAY_MINUTES))
    .option('--seed <n>', 'the same seed gives the same faults', wholeNumber(0, 2 ** 32 - 1), 1)
    .option('--keep', "leave the programs' data and logs in place", false)
    .option('--json <file>', 'write the report there')
    .action(async (options: Omit<ChaosOptions, 'seconds'> & Duration) => {
      const { chaosDelivery } = await import('./chaos-delivery.ts');
      process.exitCode = await chaosDelivery({ ...options, seconds: secondsOf(options) });
    });
}

interface Duration {
  readonly minutes?: number;
  readonly seconds?: number;
}

function secondsOf({ minutes, seconds }: Duration): number {
  if (minutes !== undefined && seconds !== undefined) {
    throw new ProgramError('usage', 'give --minutes or --seconds, not both', {
      exit: exitCode.usage,
    });
  }
  return seconds ?? 60 * (minutes ?? 5);
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (text.trim() !== '' && Number.isInteger(number) && number >= min && number <= max) {
      return number;
    }
    throw new InvalidArgumentError(`give a whole number from ${min} to ${max}`);
  };
}
