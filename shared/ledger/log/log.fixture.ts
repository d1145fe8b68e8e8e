import assert from 'node:assert/strict';
import { ed25519 } from '@noble/curves/ed25519.js';
import { bytesToHex } from '../../basics/bytes.ts';
import { publicKeySchema } from '../../identity/keys.ts';
import { rosterOf } from '../roster.ts';
import {
  checkpointText,
  cosignCheckpoint,
  cosignerNameOf,
  originOf,
  signCheckpoint,
} from './checkpoint.ts';
import {
  appendLeaf,
  emptyLog,
  type LogFrontier,
  type LogHash,
  leafHash,
  rootOf,
} from './merkle-log.ts';
import { inclusionProof, type ReadNode } from './merkle-proof.ts';
import type { NoteSigner } from './note-key.ts';
import { encodeNote } from './signed-note.ts';
import { encodeProof } from './tlog-proof.ts';

/** A signer of notes anybody can make again from its number, 0 to 255. */
export function seededNoteSigner(seed: number): NoteSigner {
  return noteSignerOf(new Uint8Array(32).fill(seed));
}

export function noteSignerOf(seed: Uint8Array): NoteSigner {
  const { secretKey, publicKey } = ed25519.keygen(seed);
  return {
    publicKey: publicKeySchema.parse(bytesToHex(publicKey)),
    signRaw: (message) => ed25519.sign(message, secretKey),
  };
}

/** A log with its frontier at every size, and all complete subtrees as a store has them. */
export function storedLog(leaves: readonly LogHash[]) {
  const nodes = new Map<string, LogHash>();
  const frontiers: LogFrontier[] = [emptyLog];
  for (const leaf of leaves) {
    const appended = appendLeaf(frontiers.at(-1)!, leaf);
    for (const { level, index, hash } of appended.nodes) {
      assert.ok(!nodes.has(`${level}/${index}`), 'each subtree is completed once');
      nodes.set(`${level}/${index}`, hash);
    }
    frontiers.push(appended.frontier);
  }
  const node: ReadNode = (level, index) => {
    const hash = nodes.get(`${level}/${index}`);
    assert.ok(hash, `the subtree ${level}/${index} is complete`);
    return hash;
  };
  return { frontiers, nodes, node };
}

export const CHAIN_ID = 'site';
export const TIME_MS = 1_795_000_000_000;

/** Validator `n` of {@link exampleRoster}: its log key has the seed 10 + n, its cosigner 20 + n. */
export function exampleRoster(weights: readonly number[]) {
  return rosterOf(
    weights.map((weight, n) => ({
      name: `edge-${n}`,
      publicKey: seededNoteSigner(30 + n).publicKey,
      weight,
      peer: seededNoteSigner(40 + n).publicKey,
      cosigner: seededNoteSigner(20 + n).publicKey,
      log: seededNoteSigner(10 + n).publicKey,
      addresses: [],
    })),
  );
}

/** A proof of entry `index`, signed by validator 0 and cosigned by 0 to `count` - 1. */
export function exampleProof(entries: readonly Uint8Array[], index: number, count = 3): string {
  const log = storedLog(entries.map((entry) => leafHash(entry)));
  const size = entries.length;
  const root = rootOf(log.frontiers[size]!);
  const note = exampleNote(size, root, count);
  return encodeProof({
    entry: entries[index]!,
    index,
    path: inclusionProof(index, size, log.node),
    note,
  });
}

/** A checkpoint; cosigner n signs n seconds after {@link TIME_MS}. */
export function exampleNote(size: number, root: LogHash, count = 3): string {
  const checkpoint = { origin: originOf(CHAIN_ID), size, root };
  const cosignatures = Array.from({ length: count }, (_, n) =>
    cosignCheckpoint(checkpoint, cosignerNameOf(`edge-${n}`, CHAIN_ID), {
      signer: seededNoteSigner(20 + n),
      timeMs: TIME_MS + 1000 * n,
    }),
  );
  const signatures = [signCheckpoint(checkpoint, seededNoteSigner(10)), ...cosignatures];
  return encodeNote({ text: checkpointText(checkpoint), signatures });
}
