import { verifyAccountNatively } from '#runtime/identity/native-verification.ts';
import { exitCode } from '#runtime/process/program-error.ts';
import { bytesToHex } from '#shared/basics/bytes.ts';
import { verifyAccountPortably } from '#shared/identity/account-key.ts';
import { rootOf } from '#shared/ledger/log/merkle-log.ts';
import { openLedgerFile } from './ledger-input.ts';

export interface VerifyOptions {
  readonly file: string;
  readonly json: boolean;
  /** By the node's own implementation of signatures, some ten times as fast as the other. */
  readonly native: boolean;
}

/**
 * `diten ledger verify`: executes a node's file again from its genesis. Returns the exit code: 1
 * where the file breaks its promises, after a line that names the height.
 */
export function runVerify({ file, json, native }: VerifyOptions): number {
  using ledger = openLedgerFile(file);
  const verified = ledger.verify(native ? verifyAccountNatively : verifyAccountPortably);
  const checkpoint = ledger.newestCheckpoint();
  if (!verified.ok) {
    const { height, code, message } = verified.error;
    if (json) console.log(JSON.stringify({ verified: false, height, code, message }));
    else process.stderr.write(`diten: at height ${height}: ${message} [${code}]\n`);
    return exitCode.failed;
  }
  const { chain, transactions, rejected } = verified.value;
  const facts = {
    chain: chain.chainId,
    genesis: chain.genesis,
    height: chain.head.height,
    head: chain.head.hash,
    transactions,
    rejected,
    stateDigest: chain.stateDigest,
    logSize: chain.log.size,
    logRoot: bytesToHex(rootOf(chain.log)),
    checkpointSize: checkpoint?.size ?? null,
  };
  if (json) console.log(JSON.stringify({ verified: true, ...facts }));
  else {
    for (const [key, value] of Object.entries(facts)) console.log(`${key.padEnd(14)} ${value}`);
    console.log('verified from genesis: signatures, certificates, state, log and index');
  }
  return exitCode.ok;
}
