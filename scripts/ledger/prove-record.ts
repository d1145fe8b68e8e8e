import { proveRecord } from '#edge-node/ledger/proofs/record-proof.ts';
import { verifyRawNatively } from '#runtime/identity/native-verification.ts';
import { ProgramError } from '#runtime/process/program-error.ts';
import { verifyProof } from '#shared/ledger/light-verifier.ts';
import { policyOf } from '#shared/ledger/log/chain-policy.ts';
import { writeOutputFile } from '../model/model-file.ts';
import { findRecord } from './find-record.ts';
import { openLedgerFile } from './ledger-input.ts';

export interface ProveOptions {
  readonly file: string;
  readonly output: string;
  readonly policyOut?: string;
}

/**
 * `diten ledger prove`: writes the C2SP tlog-proof of a record against the newest checkpoint that
 * the node has, and the tlog-policy of its present validators. What it writes has verified here.
 *
 * Errors: those of `openLedgerFile`, `record-unknown` (exit 2); `checkpoint-behind`,
 * `file-unwritable`, and the light verifier's where the file is damaged (exit 1).
 */
export function runProve(name: string, { file, output, policyOut }: ProveOptions): void {
  using ledger = openLedgerFile(file);
  const { logIndex } = findRecord(ledger, name);
  const { chainId, roster } = ledger.chain;
  const policy = policyOf(chainId, roster);
  const proof = proveRecord(ledger, logIndex);
  if (!proof.ok) throw new ProgramError(proof.error.code, proof.error.message);
  const verified = verifyProof(proof.value, policy, verifyRawNatively);
  if (!verified.ok) {
    const { code, message } = verified.error;
    throw new ProgramError(code, `${file}: its own proof does not verify: ${message}`);
  }
  writeOutputFile(output, proof.value);
  if (policyOut !== undefined) writeOutputFile(policyOut, policy);
  const { index, size, entry, cosigners } = verified.value;
  console.log(
    `record ${index} of ${size} (height ${entry.height}), cosigned by ${cosigners.join(', ')}: ` +
      `${Buffer.byteLength(proof.value)} bytes in ${output}`,
  );
}
