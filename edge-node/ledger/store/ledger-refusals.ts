import { configurationError } from '#runtime/process/program-error.ts';
import { digestOf } from '#shared/identity/digest.ts';

/** Why a ledger's file is not opened, each an error of exit code 78 with its mend. */
export function ledgerRefusals(file: string) {
  return {
    oldFormat: () =>
      configurationError(
        'ledger-old-format',
        `${file}: this ledger was written before there was consensus and cannot be carried over; ` +
          'move it away to begin a new chain',
      ),
    earlierFormat: () =>
      configurationError(
        'ledger-old-format',
        `${file}: this ledger was written by an earlier DITEN; start its node once, which brings ` +
          'it to the present format',
      ),
    notALedger: (cause: unknown) =>
      configurationError(
        'not-a-ledger',
        `${file}: cannot read this file as a ledger (${(cause as Error).message}); it is left as ` +
          "it is: check the path, or restore the ledger's own file",
        cause,
      ),
    genesisMalformed: (what: string) =>
      configurationError(
        'genesis-malformed',
        `the genesis given for ${file} cannot be used: ${what}; make one with "diten ledger init"`,
      ),
    anotherChain: (has: Uint8Array, wanted: Uint8Array) =>
      configurationError(
        'ledger-of-another-chain',
        `${file}: this ledger began from genesis ${digestOf(has).slice(0, 16)}…, the ` +
          `configuration has ${digestOf(wanted).slice(0, 16)}…; give the right genesis, or use ` +
          'another data folder',
      ),
    anotherKey: () =>
      configurationError(
        'ledger-of-another-key',
        `${file}: this ledger was kept by a node with another key; restore the key it was begun ` +
          'with, or use another data folder',
      ),
    damaged: (what: string, cause: unknown) =>
      configurationError(
        'ledger-damaged',
        `${file}: this ledger is damaged (${what.trim().replace(/\s+/g, ' ')}); it is left as it ` +
          'is: restore a copy, or move it away to fetch the chain from the peers again',
        cause,
      ),
    notTheLast: (marker: string) =>
      configurationError(
        'ledger-not-the-last',
        `${file}: the key of this node signed for a later state of this ledger than the file ` +
          'holds, and there is no other validator to learn it from; restore the newest copy, or ' +
          `remove ${marker} to go on from here, which forks the chain for all who saw more of it`,
      ),
  };
}
