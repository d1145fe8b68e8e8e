import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'smol-toml';
import { openSigningKey } from '#runtime/identity/signing-key.ts';
import { exitCode, ProgramError } from '#runtime/process/program-error.ts';
import { accountIdOf, accountSignerOf } from '#shared/identity/account-key.ts';
import {
  type EncodedTransaction,
  signTransaction,
  type TransactionContent,
} from '#shared/ledger/transaction.ts';
import { wrongUsage } from './ledger-input.ts';
import { askNode, nodeUnreachable } from './node-api.ts';

export interface SubmitOptions {
  readonly url: string;
  readonly key: string;
  readonly json: boolean;
}

/** Above the time that the node itself waits for the block. */
const TIMEOUT_MS = 15_000;
/** How many heights the transaction may wait for its block. */
const HEIGHTS_TO_WAIT = 1000;

/**
 * `diten ledger submit`: signs a transaction with an operator's key, brings it to a running node,
 * and waits for its block. `body` is JSON, or a file of JSON or TOML. Returns the exit code: 1
 * where it is recorded as rejected, or not in a block yet.
 *
 * Errors: `key-missing`, `body-unreadable`, `transaction-malformed` (exit 2); those of `askNode`;
 * `transaction-refused` (exit 1); those of `openSigningKey`.
 */
export async function runSubmit(
  type: string,
  body: string,
  { url, key, json }: SubmitOptions,
): Promise<number> {
  const content = { type, body: readBody(body) } as TransactionContent;
  const { bytes } = await sign(content, { url, key });
  const init = { method: 'POST', body: bytes, headers: { 'content-type': 'application/cbor' } };
  const path = '/api/ledger/transactions';
  const { status, body: answer } = await askNode(url, { path, timeoutMs: TIMEOUT_MS, init });
  if (status >= 300) {
    const reason = `${answer.message} ${answer.description} [${answer.error}]`;
    throw new ProgramError('transaction-refused', `${url}: ${reason}`);
  }
  console.log(json ? JSON.stringify(answer) : sentenceOf(answer));
  return answer.outcome === 'accepted' ? exitCode.ok : exitCode.failed;
}

function sentenceOf({ digest, height, outcome }: Readonly<Record<string, unknown>>): string {
  if (outcome === 'pending') {
    return `${digest} is not in a block yet: are enough validators up? Look for it with "show"`;
  }
  const became = outcome === 'accepted' ? 'accepted' : `rejected: ${outcome}`;
  return `${digest} ${became} at height ${height}`;
}

async function sign(
  content: TransactionContent,
  { url, key }: Pick<SubmitOptions, 'url' | 'key'>,
): Promise<EncodedTransaction & { bytes: Uint8Array<ArrayBuffer> }> {
  if (!existsSync(key)) throw wrongUsage('key-missing', `--key ${key}: there is no such file`);
  const signer = accountSignerOf(openSigningKey(key));
  const path = `/api/ledger/signers/${accountIdOf(signer.key)}`;
  const { body } = await askNode(url, { path, timeoutMs: TIMEOUT_MS });
  const { chainId, height, nextSequence: signerSequence } = body;
  if (typeof chainId !== 'string' || !isCount(height) || !isCount(signerSequence)) {
    throw nodeUnreachable(url, 'what answers there says nothing of a ledger');
  }
  const place = { chainId, signerSequence, notAfterHeight: height + HEIGHTS_TO_WAIT };
  const signed = signTransaction(content, place, signer);
  if (!signed.ok) throw wrongUsage(signed.error.code, `${content.type}: ${signed.error.message}`);
  return { ...signed.value, bytes: Uint8Array.from(signed.value.bytes) };
}

function readBody(body: string): unknown {
  try {
    const text = body.trimStart().startsWith('{') ? body : readFileSync(body, 'utf8');
    return text.trimStart().startsWith('{') ? JSON.parse(text) : parse(text);
  } catch (cause) {
    const reason = (cause as Error).message.split('\n')[0];
    throw wrongUsage(
      'body-unreadable',
      `cannot read the body (${reason}); give JSON such as '{"device":"d-1","reason":"lost"}', ` +
        'or a file of JSON or TOML',
    );
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
