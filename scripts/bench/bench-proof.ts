import { join } from 'node:path';
import { verifyRawNatively } from '#runtime/identity/native-verification.ts';
import { openNodeKeys } from '#runtime/identity/node-keys.ts';
import { assert } from '#shared/basics/assert.ts';
import { accountSignerOf } from '#shared/identity/account-key.ts';
import { verifyProof } from '#shared/ledger/light-verifier.ts';
import { policyOf } from '#shared/ledger/log/chain-policy.ts';
import {
  checkpointText,
  cosignCheckpoint,
  cosignerNameOf,
  decodeCheckpoint,
  originOf,
  signCheckpoint,
} from '#shared/ledger/log/checkpoint.ts';
import {
  appendLeaf,
  emptyLog,
  type LogFrontier,
  type LogHash,
  leafHash,
  rootOf,
} from '#shared/ledger/log/merkle-log.ts';
import { inclusionProof, isIncluded } from '#shared/ledger/log/merkle-proof.ts';
import { decodeNote, encodeNote } from '#shared/ledger/log/signed-note.ts';
import { decodeProof, encodeProof } from '#shared/ledger/log/tlog-proof.ts';
import { encodeLogEntry } from '#shared/ledger/log-entry.ts';
import { rosterOf } from '#shared/ledger/roster.ts';
import { VersionStream } from './ledger-transactions.ts';
import { median } from './median.ts';

const CHAIN = 'bench';
const VALIDATORS = 4;
const COSIGNERS = 3;
const REPEATS = 101;

export interface ProofResult {
  readonly records: number;
  /** Of the file, a record of 1 KiB in it. */
  readonly sizeBytes: number;
  /** Reading the file, and the hashes from the record to the root. */
  readonly verifyMs: number;
  /** All of it, with the signatures of the log and of a quorum, as `diten ledger check` does. */
  readonly withSignaturesMs: number;
  /** The same in portable code. */
  readonly portableMs: number;
}

/** Proves one record out of a log of so many, and verifies it; keys are made under `folder`. */
export function benchProof(folder: string, records: number): ProofResult {
  const keys = Array.from({ length: VALIDATORS }, (_, n) => openNodeKeys(join(folder, `${n}.pem`)));
  const roster = rosterOf(
    keys.map(({ validator, peer, cosigner, log }, n) => ({
      ...{ name: `edge-${n}`, publicKey: validator.publicKey, weight: 1, peer, addresses: [] },
      ...{ cosigner: cosigner.publicKey, log: log.publicKey },
    })),
  );
  const stream = new VersionStream(accountSignerOf(keys[0]!.validator), CHAIN);
  const transaction = [1, 2, 3].map(() => stream.next()).at(-1)!.bytes;
  const entry = encodeLogEntry({ v: 1, height: 1, index: 0, outcome: 'accepted', transaction });
  const index = Math.floor(records / 3);
  const { log, path } = growLog(records, index, leafHash(entry));

  const head = { origin: originOf(CHAIN), size: records, root: rootOf(log) };
  const cosigned = keys.slice(0, COSIGNERS).map(({ cosigner: signer }, n) => {
    return cosignCheckpoint(head, cosignerNameOf(`edge-${n}`, CHAIN), { signer, timeMs: 0 });
  });
  const signatures = [signCheckpoint(head, keys[0]!.log), ...cosigned];
  const note = encodeNote({ text: checkpointText(head), signatures });
  const proof = encodeProof({ entry, index, path, note });
  const policy = policyOf(CHAIN, roster);
  return {
    records,
    sizeBytes: Buffer.byteLength(proof),
    verifyMs: medianMs(() => isProvenTo(proof)),
    withSignaturesMs: medianMs(() => verifyProof(proof, policy, verifyRawNatively).ok),
    portableMs: medianMs(() => verifyProof(proof, policy).ok),
  };
}

/** A log with one known leaf among others, and that leaf's path to the root. */
function growLog(records: number, index: number, leaf: LogHash) {
  const levels: Uint8Array[] = [];
  let log: LogFrontier = emptyLog;
  const other = new Uint8Array(32);
  for (let at = 0; at < records; at++) {
    new DataView(other.buffer).setFloat64(0, at);
    const appended = appendLeaf(log, at === index ? leaf : other.slice());
    for (const { level, index: node, hash } of appended.nodes) {
      levels[level] ??= new Uint8Array(32 * Math.ceil(records / 2 ** level));
      levels[level].set(hash, 32 * node);
    }
    log = appended.frontier;
  }
  const path = inclusionProof(index, records, (level, node) => {
    return levels[level]!.slice(32 * node, 32 * (node + 1));
  });
  return { log, path };
}

/** What a verifier does that trusts the checkpoint already. */
function isProvenTo(text: string): boolean {
  const proof = decodeProof(text);
  if (!proof.ok) return false;
  const { entry, index, path } = proof.value;
  const note = decodeNote(proof.value.note);
  const checkpoint = note.ok ? decodeCheckpoint(note.value.text) : note;
  if (!checkpoint.ok) return false;
  const { size, root } = checkpoint.value;
  return isIncluded({ index, size, leaf: leafHash(entry), path, root });
}

function medianMs(verify: () => boolean): number {
  const times = Array.from({ length: REPEATS }, () => {
    const startMs = performance.now();
    assert(verify(), 'the proof verifies');
    return performance.now() - startMs;
  });
  return median(times);
}
