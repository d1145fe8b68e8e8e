import { sha256 } from '@noble/hashes/sha2.js';
import { assert } from '../../basics/assert.ts';
import type { Sha256 } from '../../identity/digest.ts';

/** A SHA-256 hash of the tree: 32 bytes. */
export type LogHash = Uint8Array;

/** A complete subtree: its leaves are `index * 2 ** level` to `(index + 1) * 2 ** level - 1`. */
export interface LogNode {
  readonly level: number;
  readonly index: number;
  readonly hash: LogHash;
}

/**
 * The right edge of a log, all that appending needs: the roots of the complete subtrees its leaves
 * fall into, the largest first, one for each bit set in `size` (a compact range from 0).
 */
export interface LogFrontier {
  readonly size: number;
  readonly hashes: readonly LogHash[];
}

export const emptyLog: LogFrontier = { size: 0, hashes: [] };

/** The hash of an entry as a leaf (RFC 6962, 2.1): SHA-256 of a zero byte and the entry. */
export function leafHash(entry: Uint8Array, hash: Sha256 = sha256): LogHash {
  const leaf = new Uint8Array(1 + entry.length);
  leaf.set(LEAF_PREFIX);
  leaf.set(entry, 1);
  return hash(leaf);
}

/** The hash of two subtrees side by side (RFC 6962, 2.1): SHA-256 of a one byte, left and right. */
export function nodeHash(left: LogHash, right: LogHash): LogHash {
  return sha256.create().update(NODE_PREFIX).update(left).update(right).digest();
}

/**
 * The log with one more leaf, in O(log n). `nodes` are the subtrees that the leaf completes, from
 * the leaf itself upwards: a store that keeps them all can prove everything.
 */
export function appendLeaf(
  { size, hashes }: LogFrontier,
  leaf: LogHash,
): { frontier: LogFrontier; nodes: LogNode[] } {
  assert(size < Number.MAX_SAFE_INTEGER, 'a log holds fewer than 2^53 entries');
  const kept = [...hashes];
  const nodes: LogNode[] = [{ level: 0, index: size, hash: leaf }];
  let hash = leaf;
  for (let level = 1, index = size; index % 2 === 1; level++) {
    index = (index - 1) / 2;
    hash = nodeHash(kept.pop()!, hash);
    nodes.push({ level, index, hash });
  }
  kept.push(hash);
  return { frontier: { size: size + 1, hashes: kept }, nodes };
}

/** The root (RFC 6962, 2.1); of the empty log it is SHA-256 of nothing. */
export function rootOf({ hashes }: LogFrontier): LogHash {
  if (hashes.length === 0) return sha256(new Uint8Array());
  return hashes.reduceRight((right, left) => nodeHash(left, right));
}

const LEAF_PREFIX = Uint8Array.of(0);
const NODE_PREFIX = Uint8Array.of(1);
