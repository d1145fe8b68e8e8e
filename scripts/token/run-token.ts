import { join } from 'node:path';
import {
  type ApiToken,
  addToken,
  readTokens,
  removeToken,
} from '#edge-node/api/access/token-file.ts';
import { TOKEN_FILE } from '#edge-node/api/start-api.ts';
import { edgeConfigSchema } from '#edge-node/edge-config.ts';
import { loadConfig } from '#runtime/config/load-config.ts';
import { ProgramError } from '#runtime/process/program-error.ts';
import { table } from '../trial/trial-report.ts';

export interface TokenOptions {
  /** TOML file of the edge node. */
  readonly config: string;
}

/** `diten token new`: prints a new token, and nothing else to standard output. */
export function newToken({
  config,
  name,
  role,
}: TokenOptions & Pick<ApiToken, 'name' | 'role'>): void {
  const file = fileOf(config);
  const made = addToken(file, { name, role, nowMs: Date.now() });
  if (!made.ok) throw new ProgramError(made.error.code, made.error.message);
  process.stdout.write(`${made.value}\n`);
  process.stderr.write(`${name} may ${role}; keep the token, it is not shown again\n`);
}

/** `diten token ls`. */
export function listTokens({ config }: TokenOptions): void {
  const rows = readTokens(fileOf(config)).map(({ name, role, created }) => [name, role, created]);
  const head = ['name', 'role', 'created'];
  process.stdout.write(rows.length === 0 ? 'there are none\n' : `${table(head, rows)}\n`);
}

/** `diten token rm`. Errors: `token-unknown`. */
export function dropToken(name: string, { config }: TokenOptions): void {
  if (removeToken(fileOf(config), name)) return;
  const mend = 'diten token ls names them';
  throw new ProgramError('token-unknown', `there is no token ${name}; ${mend}`);
}

function fileOf(configFile: string): string {
  const config = loadConfig(configFile, edgeConfigSchema);
  return config.api.tokens ?? join(config.data, TOKEN_FILE);
}
