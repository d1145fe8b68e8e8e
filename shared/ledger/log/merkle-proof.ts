import { assert } from '../../basics/assert.ts';
import { bytesEqual } from '../../basics/bytes.ts';
import { type LogHash, nodeHash } from './merkle-log.ts';

/** The hash of a complete subtree, as {@link appendLeaf} gave it out. */
export type ReadNode = (level: number, index: number) => LogHash;

/**
 * The audit path of leaf `index` in the tree of the first `size` leaves, the leaf's sibling first
 * (RFC 6962, 2.1.1). Reads O(log n) nodes.
 */
export function inclusionProof(index: number, size: number, node: ReadNode): LogHash[] {
  assert(index >= 0 && index < size, 'the leaf is in the tree');
  const path: LogHash[] = [];
  let [begin, end] = [0, size];
  while (end - begin > 1) {
    const middle = begin + largestPowerBelow(end - begin);
    if (index < middle) {
      path.push(subtreeHash(middle, end, node));
      end = middle;
    } else {
      path.push(subtreeHash(begin, middle, node));
      begin = middle;
    }
  }
  return path.reverse();
}

/**
 * That the tree of `newSize` leaves begins with the tree of `oldSize` (RFC 6962, 2.1.2), for
 * sizes from 1: of the empty tree there is nothing to prove. Reads O(log n) nodes.
 */
export function consistencyProof(oldSize: number, newSize: number, node: ReadNode): LogHash[] {
  assert(oldSize >= 1 && oldSize <= newSize, 'the old tree is no larger than the new one');
  const proof: LogHash[] = [];
  let [begin, end] = [0, newSize];
  while (end !== oldSize) {
    const middle = begin + largestPowerBelow(end - begin);
    if (oldSize <= middle) {
      proof.push(subtreeHash(middle, end, node));
      end = middle;
    } else {
      proof.push(subtreeHash(begin, middle, node));
      begin = middle;
    }
  }
  // The verifier knows the old root, so where the walk never went right it is left out.
  if (begin > 0) proof.push(subtreeHash(begin, end, node));
  return proof.reverse();
}

export interface Inclusion {
  readonly index: number;
  readonly size: number;
  readonly leaf: LogHash;
  readonly path: readonly LogHash[];
  readonly root: LogHash;
}

/** RFC 9162, 2.1.3.2. */
export function isIncluded({ index, size, leaf, path, root }: Inclusion): boolean {
  if (index < 0 || index >= size || ![leaf, root, ...path].every(isHash)) return false;
  let [place, last] = [index, size - 1];
  let hash = leaf;
  for (const sibling of path) {
    if (last === 0) return false;
    if (place % 2 === 1 || place === last) {
      hash = nodeHash(sibling, hash);
      while (place % 2 === 0 && place !== 0) [place, last] = [place / 2, Math.floor(last / 2)];
    } else {
      hash = nodeHash(hash, sibling);
    }
    [place, last] = [Math.floor(place / 2), Math.floor(last / 2)];
  }
  return last === 0 && bytesEqual(hash, root);
}

export interface Consistency {
  readonly oldSize: number;
  readonly oldRoot: LogHash;
  readonly newSize: number;
  readonly newRoot: LogHash;
  readonly proof: readonly LogHash[];
}

/** RFC 9162, 2.1.4.2, for sizes from 1; where they are equal the proof is empty. */
export function isConsistent({ oldSize, oldRoot, newSize, newRoot, proof }: Consistency): boolean {
  if (oldSize < 1 || oldSize > newSize) return false;
  if (![oldRoot, newRoot, ...proof].every(isHash)) return false;
  if (oldSize === newSize) return proof.length === 0 && bytesEqual(oldRoot, newRoot);
  const [first, ...rest] = isPowerOfTwo(oldSize) ? [oldRoot, ...proof] : proof;
  if (first === undefined) return false;
  let [place, last] = [oldSize - 1, newSize - 1];
  while (place % 2 === 1) [place, last] = [(place - 1) / 2, Math.floor(last / 2)];
  let [oldHash, newHash] = [first, first];
  for (const sibling of rest) {
    if (last === 0) return false;
    if (place % 2 === 1 || place === last) {
      oldHash = nodeHash(sibling, oldHash);
      newHash = nodeHash(sibling, newHash);
      while (place % 2 === 0 && place !== 0) [place, last] = [place / 2, Math.floor(last / 2)];
    } else {
      newHash = nodeHash(newHash, sibling);
    }
    [place, last] = [Math.floor(place / 2), Math.floor(last / 2)];
  }
  return last === 0 && bytesEqual(oldHash, oldRoot) && bytesEqual(newHash, newRoot);
}

/** The root over leaves `begin` to `end` - 1, which the walks above only ask for aligned ranges. */
function subtreeHash(begin: number, end: number, node: ReadNode): LogHash {
  const count = end - begin;
  if (isPowerOfTwo(count)) return node(Math.log2(count), begin / count);
  const middle = begin + largestPowerBelow(count);
  return nodeHash(subtreeHash(begin, middle, node), subtreeHash(middle, end, node));
}

/** Hashes of other lengths would let one input of {@link nodeHash} be read as another. */
function isHash(hash: LogHash): boolean {
  return hash.length === 32;
}

function isPowerOfTwo(count: number): boolean {
  return largestPowerBelow(count + 1) === count;
}

/** The largest power of two smaller than `count`, which is 2 or more: RFC 6962's k. */
function largestPowerBelow(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}
