import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parse, stringify } from 'smol-toml';
import type { NodeKeys } from '#runtime/identity/node-keys.ts';
import { configurationError } from '#runtime/process/program-error.ts';
import type { Failure, Result } from '#shared/basics/result.ts';
import { encodeGenesis, type Genesis, parseGenesis } from '#shared/ledger/genesis.ts';

/** How far the clock of a node alone may be set back without holding up its blocks. */
const CLOCK_TOLERANCE_MS = 10_000;

/**
 * Reads a chain's genesis, encoded.
 *
 * Errors (exit 78): `genesis-unreadable`, `genesis-malformed`.
 */
export function readGenesis(file: string): Uint8Array {
  const genesis = toGenesis(file);
  if (genesis.ok) return encodeGenesis(genesis.value);
  const { code, message } = genesis.error;
  throw configurationError(
    code,
    `${file}: this genesis cannot be used (${message}); take the file that "diten ledger init" ` +
      'made for this chain',
  );
}

/**
 * The genesis of a chain that is this node's alone, written to `file` where there is none yet:
 * its own validator and its own operator. Errors as {@link readGenesis}.
 */
export function ownGenesis(file: string, { keys, chainId, name, timeMs }: OwnChain): Uint8Array {
  if (!existsSync(file)) {
    const { publicKey } = keys.validator;
    const genesis: Genesis = {
      v: 1,
      chainId,
      timeMs,
      clockToleranceMs: CLOCK_TOLERANCE_MS,
      validators: [
        {
          name,
          publicKey,
          weight: 1,
          peer: keys.peer,
          cosigner: keys.cosigner.publicKey,
          log: keys.log.publicKey,
          addresses: [],
        },
      ],
      operators: [{ algorithm: 'ed25519', publicKey }],
    };
    writeFileSync(file, stringify(genesis), { flush: true });
  }
  return readGenesis(file);
}

interface OwnChain {
  readonly keys: NodeKeys;
  readonly chainId: string;
  /** The node's. */
  readonly name: string;
  readonly timeMs: number;
}

function toGenesis(file: string): Result<Genesis, Failure> {
  let plain: unknown;
  try {
    plain = parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw configurationError(
      'genesis-unreadable',
      `${file}: cannot read this genesis (${(cause as Error).message.split('\n')[0]}); make one ` +
        'with "diten ledger init", or leave ledger.genesis out for a chain of this node alone',
      cause,
    );
  }
  return parseGenesis(plain);
}
