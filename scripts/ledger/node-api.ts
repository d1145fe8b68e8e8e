import { ProgramError } from '#runtime/process/program-error.ts';
import { withoutControls } from '#shared/ledger/log/note-key.ts';
import { wrongUsage } from './ledger-input.ts';

const ANSWER_SIZE_BYTES_MAX = 2 ** 24;

export interface NodeRequest {
  /** Under the node's API, such as `/status`. */
  readonly path: string;
  readonly timeoutMs: number;
  readonly init?: RequestInit;
}

/**
 * Asks a running edge node, with the token in DITEN_TOKEN where there is one. Whatever it answers
 * in JSON is given, with the status.
 *
 * Errors: `url-malformed` (exit 2), `node-unreachable`, `token-required` (exit 1).
 */
export async function askNode(
  url: string,
  { path, timeoutMs, init = {} }: NodeRequest,
): Promise<{ readonly status: number; readonly body: Readonly<Record<string, unknown>> }> {
  if (!URL.canParse(url) || !/^https?:/i.test(url)) {
    throw wrongUsage('url-malformed', `--url ${url}: give one such as http://127.0.0.1:8080`);
  }
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const headers = new Headers(init.headers);
    const { DITEN_TOKEN: token } = process.env;
    if (token !== undefined) headers.set('Authorization', `Bearer ${token}`);
    const response = await fetch(new URL(path, url), { ...init, headers, signal });
    if (response.status === 401) throw tokenRequired(url);
    const body: unknown = JSON.parse(await textOf(response));
    if (typeof body !== 'object' || body === null) throw new Error('it answers something else');
    return { status: response.status, body: { ...body } };
  } catch (cause) {
    if (cause instanceof ProgramError) throw cause;
    const { message, cause: deeper } = cause as Error;
    const reason = deeper instanceof Error ? deeper.message : message;
    throw nodeUnreachable(url, reason, cause);
  }
}

function tokenRequired(url: string): ProgramError {
  const message = `${url} asks for a token; set DITEN_TOKEN to one (diten token new)`;
  return new ProgramError('token-required', message);
}

export function nodeUnreachable(url: string, reason: string, cause?: unknown): ProgramError {
  const shown = withoutControls(reason.trim().replace(/\s+/g, ' ')).slice(0, 200);
  return new ProgramError(
    'node-unreachable',
    `${url}: no answer of an edge node (${shown}); is it up, and is this its API?`,
    { cause },
  );
}

async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of response.body ?? []) {
    sizeBytes += chunk.length;
    if (sizeBytes > ANSWER_SIZE_BYTES_MAX) throw new Error('its answer does not end');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
