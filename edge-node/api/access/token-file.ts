import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { configurationError, ProgramError } from '#runtime/process/program-error.ts';
import { type Failure, fail, ok, type Result } from '#shared/basics/result.ts';
import { nameSchema } from '#shared/wire/names.ts';

const TOKENS_MAX = 1000;

const tokenSchema = z.strictObject({
  /** What history says of who wrote. */
  name: nameSchema.refine((name) => name !== 'device', 'is what history calls the device itself'),
  role: z.enum(['read', 'write']),
  /** SHA-256 of the token in hex. A token is 256 random bits: there is nothing to guess. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  created: z.iso.datetime(),
});
export type ApiToken = z.infer<typeof tokenSchema>;

const fileSchema = z.strictObject({
  v: z.literal(1),
  tokens: z.array(tokenSchema).max(TOKENS_MAX),
});

export type TokenFailure = Failure<'token-name-invalid' | 'token-exists' | 'tokens-too-many'>;

/**
 * The tokens of a file, none where it is not there. Errors (exit 78): `tokens-readable` (others
 * than its owner may read or write it), `tokens-unreadable`, `tokens-invalid`.
 */
export function readTokens(file: string): readonly ApiToken[] {
  let text: string;
  try {
    if ((statSync(file).mode & 0o077) !== 0) {
      const mend = `chmod 600 ${file}`;
      throw configurationError('tokens-readable', `${file} is open to other users; ${mend}`);
    }
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    if (error instanceof ProgramError) throw error;
    const reason = (error as Error).message;
    const mend = 'give its reader the right to, or set api.tokens';
    throw configurationError('tokens-unreadable', `${file}: ${reason}; ${mend}`, error);
  }
  try {
    return fileSchema.parse(JSON.parse(text)).tokens;
  } catch (cause) {
    const mend = 'make the tokens anew with diten token new, into another file or once it is gone';
    throw configurationError('tokens-invalid', `${file} is no file of tokens; ${mend}`, cause);
  }
}

/** Makes a token and keeps its digest, durably; the token itself is only in the result. */
export function addToken(
  file: string,
  { name, role, nowMs }: Pick<ApiToken, 'name' | 'role'> & { nowMs: number },
): Result<string, TokenFailure> {
  const tokens = readTokens(file);
  const token = `diten_${randomBytes(32).toString('base64url')}`;
  const created = new Date(nowMs).toISOString();
  const entry = tokenSchema.safeParse({
    name,
    role,
    sha256: digestOf(token).toString('hex'),
    created,
  });
  if (!entry.success) {
    return fail('token-name-invalid', `${name}: ${entry.error.issues[0]!.message}`);
  }
  if (tokens.some((each) => each.name === name)) {
    return fail('token-exists', `there is a token ${name}; diten token rm it first`);
  }
  if (tokens.length >= TOKENS_MAX) {
    return fail('tokens-too-many', `${file} holds ${TOKENS_MAX} tokens; remove some`);
  }
  write(file, [...tokens, entry.data]);
  return ok(token);
}

/** Takes a token away; false where there was none of the name. */
export function removeToken(file: string, name: string): boolean {
  const tokens = readTokens(file);
  const left = tokens.filter((each) => each.name !== name);
  if (left.length === tokens.length) return false;
  write(file, left);
  return true;
}

/** The token among them that was shown; takes as long whichever it is. */
export function findToken(tokens: readonly ApiToken[], shown: string): ApiToken | undefined {
  const digest = digestOf(shown);
  let found: ApiToken | undefined;
  for (const token of tokens) {
    if (timingSafeEqual(Buffer.from(token.sha256, 'hex'), digest)) found = token;
  }
  return found;
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function write(file: string, tokens: readonly ApiToken[]): void {
  mkdirSync(dirname(file), { recursive: true });
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  const descriptor = openSync(draft, 'wx', 0o600);
  try {
    writeSync(descriptor, `${JSON.stringify({ v: 1, tokens }, null, 2)}\n`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(draft, file);
}
