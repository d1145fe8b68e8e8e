import { ProgramError } from '#runtime/process/program-error.ts';
import { bytesToHex } from '#shared/basics/bytes.ts';
import { countVoters } from '#shared/ledger/genesis.ts';
import { rootOf } from '#shared/ledger/log/merkle-log.ts';
import { withoutControls } from '#shared/ledger/log/note-key.ts';
import { faultTolerance } from './fault-tolerance.ts';
import { openLedgerFile, wrongUsage } from './ledger-input.ts';
import { jsonText } from './ledger-text.ts';

export interface StatusOptions {
  readonly url?: string;
  readonly file?: string;
  readonly json: boolean;
}

const TIMEOUT_MS = 5000;
const ANSWER_SIZE_BYTES_MAX = 2 ** 24;

/**
 * `diten ledger status`: how a running node's ledger stands, as it says itself at `/status`, or as
 * its file has it.
 *
 * Errors: `source-missing`, `url-malformed`, those of `openLedgerFile` (exit 2);
 * `node-unreachable` (exit 1).
 */
export async function runStatus({ url, file, json }: StatusOptions): Promise<void> {
  if ((url === undefined) === (file === undefined)) {
    throw wrongUsage('source-missing', "give one of --url (a node's API) and --file (its ledger)");
  }
  const status = url === undefined ? fileStatus(file!) : await nodeStatus(url);
  if (json) console.log(jsonText(status, 2));
  else for (const line of linesOf(status)) console.log(withoutControls(line));
}

function fileStatus(file: string): object {
  using ledger = openLedgerFile(file);
  const { chainId, genesis, head, roster, stateDigest, log } = ledger.chain;
  const checkpoint = ledger.newestCheckpoint();
  return {
    chain: chainId,
    genesis,
    height: head.height,
    head: head.hash,
    time: new Date(head.timeMs).toISOString(),
    stateDigest,
    logSize: log.size,
    logRoot: bytesToHex(rootOf(log)),
    checkpointSize: checkpoint?.size ?? null,
    tolerance: faultTolerance(countVoters(roster.members)),
    members: roster.members.map(({ name, weight, addresses }) => {
      return `${name} (${weight > 0 ? `weight ${weight}` : 'follows'}) ${addresses.join(' ')}`;
    }),
  };
}

async function nodeStatus(url: string): Promise<object> {
  if (!URL.canParse(url) || !/^https?:/i.test(url)) {
    throw wrongUsage('url-malformed', `--url ${url}: give one such as http://127.0.0.1:8080`);
  }
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(new URL('/status', url), { signal });
    const { ledger } = JSON.parse(await textOf(response)) as { ledger?: unknown };
    if (typeof ledger === 'object' && ledger !== null) return ledger;
    throw new Error('what answers there says nothing of a ledger');
  } catch (cause) {
    const { message, cause: deeper } = cause as Error;
    const reason = deeper instanceof Error ? deeper.message : message;
    throw new ProgramError(
      'node-unreachable',
      `${url}: no status of an edge node (${oneLine(reason)}); is it up, and is this its API?`,
      { cause },
    );
  }
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

/** Whatever a status holds, a line for each value. */
function* linesOf(status: object, prefix = ''): Generator<string> {
  for (const [key, value] of Object.entries(status)) {
    const name = `${prefix}${key}`;
    if (Array.isArray(value)) {
      for (const each of value) yield `${name.padEnd(16)} ${asWord(each)}`;
    } else if (typeof value === 'object' && value !== null) {
      yield* linesOf(value, `${name}.`);
    } else yield `${name.padEnd(16)} ${value}`;
  }
}

function asWord(value: unknown): string {
  return typeof value === 'object' ? jsonText(value) : `${value}`;
}

function oneLine(text: string): string {
  return withoutControls(text.trim().replace(/\s+/g, ' ')).slice(0, 200);
}
