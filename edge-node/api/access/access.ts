import { statSync } from 'node:fs';
import type { Events } from '#runtime/observe/events.ts';
import { nameSchema } from '#shared/wire/names.ts';
import { ApiFailure, apiErrors } from '../api-error.ts';
import type { Caller } from '../call.ts';
import { foreignSource } from './foreign-source.ts';
import { type ApiToken, findToken, readTokens } from './token-file.ts';

export interface AccessOptions {
  /** File of tokens, see {@link readTokens}; it is read again when it changes. */
  readonly tokens: string;
  /** Whether who shows no token may do everything: only where no other machine can connect. */
  readonly isOpen: boolean;
  readonly events: Events;
}

/** Says who asks, and what they may do. */
export class Access {
  readonly #options: AccessOptions;
  #tokens: readonly ApiToken[];
  #version: string;

  /** Errors (exit 78): as {@link readTokens}. */
  constructor(options: AccessOptions) {
    this.#options = options;
    this.#version = versionOf(options.tokens);
    this.#tokens = readTokens(options.tokens);
  }

  /** Whether anybody has a token. */
  get hasTokens(): boolean {
    return this.#current().length > 0;
  }

  /** Throws {@link ApiFailure}: 401 where a token is missing or unknown, 403 from foreign pages. */
  identify(request: Request): Caller {
    const { isOpen } = this.#options;
    const shown = readCredentials(request);
    const tokens = shown === undefined ? [] : this.#current();
    const token = shown === undefined ? undefined : findToken(tokens, shown.token);
    if (token !== undefined && (shown?.name ?? token.name) === token.name) {
      return { name: token.name, role: token.role, needsToken: !isOpen };
    }
    // Clients that insist on credentials are let into a node that has none to hold them against.
    if (!isOpen || (shown !== undefined && tokens.length > 0)) {
      throw new ApiFailure(
        apiErrors.tokenRequired(shown === undefined ? 'it shows no token' : 'its token is unknown'),
      );
    }
    const foreign = foreignSource(request);
    if (foreign !== undefined) throw new ApiFailure(apiErrors.sourceForeign(foreign));
    return { name: readName(request), role: 'write', needsToken: false };
  }

  /** Whether who asked so is let in still: a token may have been taken away meanwhile. */
  admits(request: Request): boolean {
    try {
      this.identify(request);
      return true;
    } catch (error) {
      if (error instanceof ApiFailure) return false;
      throw error;
    }
  }

  #current(): readonly ApiToken[] {
    const { tokens: file, events } = this.#options;
    const version = versionOf(file);
    if (version === this.#version) return this.#tokens;
    this.#version = version;
    try {
      this.#tokens = readTokens(file);
    } catch (error) {
      // What cannot be read admits nobody.
      this.#tokens = [];
      events.record('error', 'tokens-unreadable', { reason: (error as Error).message });
    }
    return this.#tokens;
  }
}

/** What a file's changing shows by. */
function versionOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.ino} ${stat.mtimeMs} ${stat.size} ${stat.mode}`;
}

/** Bearer (RFC 6750), or Basic (RFC 7617) with the token's name and the token as password. */
function readCredentials({ headers }: Request): { token: string; name?: string } | undefined {
  const header = headers.get('Authorization');
  if (header === null) return undefined;
  const [scheme = '', value = ''] = header.trim().split(/ +/);
  if (/^bearer$/i.test(scheme)) return { token: value };
  if (!/^basic$/i.test(scheme)) return { token: '' };
  const [name = '', ...password] = Buffer.from(value, 'base64').toString('utf8').split(':');
  return { token: password.join(':'), name };
}

/** Who says that they edit, where nobody checks it. */
function readName({ headers }: Request): string {
  const name = headers.get('X-Diten-By');
  if (name === null) return 'http';
  if (nameSchema.safeParse(name).success && name !== 'device') return name;
  throw new ApiFailure(apiErrors.headerInvalid('X-Diten-By'));
}
