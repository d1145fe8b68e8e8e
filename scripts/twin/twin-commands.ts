import { type Command, InvalidArgumentError, Option } from 'commander';

/** Adds `diten twin ...` to the program; each action loads what it needs when it runs. */
export function addTwinCommands(program: Command): void {
  const twin = program.command('twin').description('the twins of an edge node');
  const add = (name: string, description: string) =>
    twin
      .command(name)
      .description(description)
      .option('--url <url>', 'the edge node', 'http://127.0.0.1:8080')
      .addOption(new Option('--token <token>', 'where it asks for one').env('DITEN_TOKEN'))
      .option('--json', 'as JSON', false);
  const run = () => import('./run-twin.ts');

  add('ls', 'list them')
    .option('--filter <rql>', 'those of which it holds, as eq(attributes/room,"5.31")')
    .action(async (options) => (await run()).listTwins(options));
  add('get <id> [path]', 'show one, or a part of it')
    .option('--revision <n>', 'as it was at a revision')
    .option('--time <time>', 'as it was at a time, as 2026-11-22T12:00:00Z')
    .option('--predicted', 'what it takes FEATURE[/PROPERTY] to be, how old and how far off')
    .action(async (id, path, { predicted, ...options }) =>
      predicted === true
        ? (await import('./predicted-twin.ts')).getPredicted(id, path, options)
        : (await run()).getTwin(id, path, options),
    );
  add('set <id> <path> <value>', 'put a value; FEATURE/PROPERTY alone is what is desired').action(
    async (id, path, value, options) => (await run()).setTwin({ id, path, value }, options),
  );
  add('watch [id]', 'print every change, of one or of all').action(async (id, options) =>
    (await run()).watchTwins(id, options),
  );
  add('diff <id>', 'what is desired beside what is reported').action(async (id, options) =>
    (await run()).diffTwin(id, options),
  );
  add('why <id>', 'why what is desired is not so').action(async (id, options) =>
    (await run()).explainTwin(id, options),
  );
  add('relations <id>', 'what it is to others, and others to it').action(async (id, options) =>
    (await run()).showRelations(id, options),
  );
  add('history <id>', 'its revisions: the newest 20, or from one to another')
    .option('--from <n>', 'the first', revision)
    .option('--to <n>', 'the last', revision)
    .action(async (id, options) => (await run()).showHistory(id, options));
}

function revision(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1) return number;
  throw new InvalidArgumentError('give a whole number, 1 or more');
}
