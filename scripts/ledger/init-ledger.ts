import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'smol-toml';
import { openNodeKeys } from '#runtime/identity/node-keys.ts';
import { openSigningKey } from '#runtime/identity/signing-key.ts';
import { exitCode, ProgramError } from '#runtime/process/program-error.ts';
import { digestOf } from '#shared/identity/digest.ts';
import {
  encodeGenesis,
  type Genesis,
  parseGenesis,
  type Validator,
  validatorSchema,
} from '#shared/ledger/genesis.ts';

/** How far a validator's clock may be off: a board without a clock of its own sets it by NTP. */
const CLOCK_TOLERANCE_MS = 10_000;

/** An edge node that the chain begins with, or that is to join it. */
interface Member {
  readonly name: string;
  /** Gets `node-key.pem`, unless there is one. */
  readonly dataFolder: string;
  /** Multiaddrs at which the others reach it. */
  readonly addresses: readonly string[];
  /** Its share of the vote, 1 where left out; 0 for a follower. */
  readonly weight?: number;
}

interface LedgerPlan {
  /** Gets `genesis.toml` and `operator-key.pem`. */
  readonly folder: string;
  readonly chainId: string;
  readonly timeMs: number;
  readonly members: readonly Member[];
}

/**
 * Makes a chain's first keys, and its genesis out of their public halves. Returns the path of the
 * genesis: TOML for people to read and `parseGenesis` to check.
 *
 * Errors: those of `openSigningKey`; `genesis-malformed` (exit 2); `file-unwritable`.
 */
export function initLedger({ folder, chainId, timeMs, members }: LedgerPlan): string {
  makeFolder(folder);
  const operator = openSigningKey(join(folder, 'operator-key.pem'));
  const parsed = parseGenesis({
    v: 1,
    chainId,
    timeMs,
    clockToleranceMs: CLOCK_TOLERANCE_MS,
    validators: members.map(memberOf),
    operators: [{ algorithm: 'ed25519', publicKey: operator.publicKey }],
  });
  if (!parsed.ok) {
    const { code, message } = parsed.error;
    throw new ProgramError(code, message, { exit: exitCode.usage });
  }
  const file = join(folder, 'genesis.toml');
  writeText(file, genesisText(parsed.value));
  return file;
}

/** The genesis as TOML, under what a person should know of it. */
function genesisText(genesis: Genesis): string {
  return [
    `# What the chain "${genesis.chainId}" starts from. Every node needs these values; none is`,
    '# secret. Members and operators change later by transactions, never here.',
    `# Digest, which is the identity of the chain: ${digestOf(encodeGenesis(genesis))}`,
    '',
    `${stringify(genesis)}`,
  ].join('\n');
}

/** What the ledger says of a node, by the key in its data folder, which is made where missing. */
function memberOf({ name, dataFolder, addresses, weight = 1 }: Member): Validator {
  makeFolder(dataFolder);
  const { validator, peer, cosigner, log } = openNodeKeys(join(dataFolder, 'node-key.pem'));
  return {
    name,
    publicKey: validator.publicKey,
    weight,
    peer,
    cosigner: cosigner.publicKey,
    log: log.publicKey,
    addresses: [...addresses],
  };
}

/** {@link memberOf} as TOML. Error (exit 2): `member-malformed`. */
export function memberText(member: Member): string {
  const parsed = validatorSchema.safeParse(memberOf(member));
  if (parsed.success) return stringify(parsed.data).trimEnd();
  const { path, message } = parsed.error.issues[0]!;
  const what = `the member's ${path.join('.')}: ${message}`;
  throw new ProgramError('member-malformed', what, { exit: exitCode.usage });
}

function makeFolder(folder: string): void {
  unlessUnwritable(folder, () => mkdirSync(folder, { recursive: true, mode: 0o700 }));
}

export function writeText(file: string, text: string): void {
  unlessUnwritable(file, () => writeFileSync(file, text, { flush: true }));
}

function unlessUnwritable(path: string, write: () => void): void {
  try {
    write();
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new ProgramError(
      'file-unwritable',
      `${path}: cannot write there (${reason}); give another folder`,
      { cause },
    );
  }
}
