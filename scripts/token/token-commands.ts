import { type Command, Option } from 'commander';

/** Adds `diten token ...` to the program. */
export function addTokenCommands(program: Command): void {
  const token = program.command('token').description("who may use an edge node's HTTP API");
  const add = (name: string, description: string) =>
    token
      .command(name)
      .description(description)
      .requiredOption('--config <file>', 'TOML file of the edge node');
  const run = () => import('./run-token.ts');

  add('new', 'make a token; it is shown once, and only its digest is kept')
    .requiredOption('--name <name>', 'what the history of twins says of who wrote')
    .addOption(
      new Option('--role <role>', 'what it allows').choices(['read', 'write']).default('read'),
    )
    .action(async (options) => (await run()).newToken(options));
  add('ls', 'list them').action(async (options) => (await run()).listTokens(options));
  add('rm <name>', 'take one away; from then on nobody gets in with it').action(
    async (name, options) => (await run()).dropToken(name, options),
  );
}
