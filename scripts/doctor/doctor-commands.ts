import { type Command, InvalidArgumentError } from 'commander';

/** Adds `diten doctor ...` to the program; each action loads what it needs when it runs. */
export function addDoctorCommands(program: Command): void {
  const doctor = program.command('doctor').description('find out what is wrong');
  doctor
    .command('sparkplug')
    .description('grade the Sparkplug B traffic on a broker by the assertions of the specification')
    .option('--seconds <n>', 'how long to listen', wholeNumber(86_400), 30)
    .option('--url <url>', 'the broker', 'mqtt://127.0.0.1:1883')
    .option('--capture <file>', 'grade a capture (JSON) instead of listening')
    .option(
      '--reorder-timeout <ms>',
      'how long the host application waits for missing messages; else that is not graded',
      wholeNumber(3_600_000),
    )
    .option('--json <file>', 'write the report there')
    .action(async (options) => {
      const { doctorSparkplug } = await import('./doctor-sparkplug.ts');
      process.exitCode = await doctorSparkplug(options);
    });
}

function wholeNumber(max: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (Number.isInteger(number) && number >= 1 && number <= max) return number;
    throw new InvalidArgumentError(`give a whole number from 1 to ${max}`);
  };
}
