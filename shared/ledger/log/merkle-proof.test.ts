import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { storedLog } from './log.fixture.ts';
import { type LogFrontier, type LogHash, leafHash, nodeHash, rootOf } from './merkle-log.ts';
import {
  consistencyProof,
  inclusionProof,
  isConsistent,
  isIncluded,
  type ReadNode,
} from './merkle-proof.ts';

const SIZE_MAX = 130;
const leaves = Array.from({ length: SIZE_MAX }, (_, n) => leafHash(Uint8Array.of(n)));
const { frontiers, node } = storedLog(leaves);
const roots = frontiers.map(rootOf);

describe('proofs of a log up to 130', () => {
  it('of inclusion are the definition of RFC 6962, and verify', () => {
    for (let size = 1; size <= SIZE_MAX; size++) {
      assert.deepEqual(roots[size], treeHash(0, size));
      for (let index = 0; index < size; index++) {
        const path = inclusionProof(index, size, node);
        assert.deepEqual(path, auditPath(index, 0, size));
        const proven = { index, size, leaf: leaves[index]!, path, root: roots[size]! };
        assert.ok(isIncluded(proven), `${index} of ${size}`);
      }
    }
  });

  it('of consistency are the definition of RFC 6962, and verify', () => {
    for (let newSize = 1; newSize <= SIZE_MAX; newSize++) {
      for (let oldSize = 1; oldSize <= newSize; oldSize++) {
        const proof = consistencyProof(oldSize, newSize, node);
        assert.deepEqual(proof, subproof(oldSize, { begin: 0, end: newSize, isKnown: true }));
        assert.ok(isConsistent(between(oldSize, newSize, proof)), `${oldSize} to ${newSize}`);
      }
    }
  });
});

const place = fc
  .integer({ min: 2, max: SIZE_MAX })
  .chain((size) => fc.tuple(fc.integer({ min: 0, max: size - 1 }), fc.constant(size)));
const flip = fc.record({ at: fc.nat(), bit: fc.nat(255).filter((bit) => bit > 0) });

describe('a changed proof', () => {
  it('of inclusion is refused', () => {
    fc.assert(
      fc.property(place, flip, fc.nat(), ([index, size], change, other) => {
        const path = inclusionProof(index, size, node);
        const sound = { index, size, leaf: leaves[index]!, path, root: roots[size]! };
        assert.ok(!isIncluded({ ...sound, leaf: flipped(sound.leaf, change) }));
        assert.ok(!isIncluded({ ...sound, root: flipped(sound.root, change) }));
        assert.ok(!isIncluded({ ...sound, path: oneFlipped(path, other, change) }));
        assert.ok(!isIncluded({ ...sound, path: path.slice(1) }));
        assert.ok(!isIncluded({ ...sound, path: path.slice(0, -1) }));
        assert.ok(!isIncluded({ ...sound, path: [...path, path[0]!] }));
        const elsewhere = other % SIZE_MAX;
        assert.ok(elsewhere === index || !isIncluded({ ...sound, index: elsewhere }));
        assert.ok(!isIncluded({ ...sound, index: -1 }));
        assert.ok(!isIncluded({ ...sound, size: index }));
      }),
    );
  });

  it('of consistency is refused', () => {
    fc.assert(
      fc.property(place, flip, fc.nat(), ([index, newSize], change, other) => {
        const oldSize = Math.max(1, index);
        const proof = consistencyProof(oldSize, newSize, node);
        const sound = between(oldSize, newSize, proof);
        assert.ok(!isConsistent({ ...sound, oldRoot: flipped(sound.oldRoot, change) }));
        assert.ok(!isConsistent({ ...sound, newRoot: flipped(sound.newRoot, change) }));
        assert.ok(!isConsistent({ ...sound, proof: oneFlipped(proof, other, change) }));
        assert.ok(!isConsistent({ ...sound, proof: proof.slice(1) }));
        assert.ok(!isConsistent({ ...sound, proof: [...proof, proof[0]!] }));
        assert.ok(!isConsistent({ ...sound, oldSize: newSize }));
        assert.ok(!isConsistent({ ...sound, oldSize: 0 }));
        assert.ok(!isConsistent({ ...sound, newSize: oldSize - 1 }));
      }),
    );
  });

  it('with hashes of another length is refused', () => {
    const [a, b] = [leaves[0]!, leaves[1]!];
    const root = nodeHash(a, b);
    const long = Uint8Array.of(...a, ...b.subarray(0, 16));
    const short = b.subarray(16);
    assert.ok(isIncluded({ index: 1, size: 2, leaf: b, path: [a], root }));
    assert.ok(!isIncluded({ index: 1, size: 2, leaf: short, path: [long], root }));
    const sizes = { oldSize: 1, newSize: 2 };
    assert.ok(isConsistent({ ...sizes, oldRoot: a, newRoot: root, proof: [b] }));
    assert.ok(!isConsistent({ ...sizes, oldRoot: long, newRoot: root, proof: [short] }));
    const empty = new Uint8Array();
    assert.ok(!isIncluded({ index: 0, size: 1, leaf: empty, path: [], root: empty }));
  });

  it('for a log larger than its path reaches is refused', () => {
    const proven = { index: 0, leaf: leaves[0]!, path: [leaves[1]!], root: roots[2]! };
    assert.ok(isIncluded({ ...proven, size: 2 }));
    assert.ok(!isIncluded({ ...proven, size: 4 }));
  });

  it('of consistency from nothing, or to another root of the same size, is refused', () => {
    const [one, two] = [roots[1]!, roots[2]!];
    const same = { oldSize: 1, newSize: 1, oldRoot: one, newRoot: one, proof: [] };
    assert.ok(isConsistent(same));
    assert.ok(!isConsistent({ ...same, newRoot: two }));
    assert.ok(!isConsistent({ ...same, proof: [two] }));
    assert.ok(!isConsistent({ ...same, oldSize: 0, oldRoot: roots[0]! }));
    const [a, b] = [leaves[0]!, leaves[1]!];
    const leaf = { oldSize: 1, newSize: 2, oldRoot: a, newRoot: two, proof: [b] };
    assert.ok(isConsistent(leaf));
    assert.ok(!isConsistent({ ...leaf, oldSize: 0, proof: [a, b] }));
  });
});

describe('proofs of a log up to 2^53', () => {
  // All leaves are the same, so a subtree is known by its level.
  const levels = [leaves[0]!];
  for (let level = 1; level <= 53; level++) {
    levels.push(nodeHash(levels[level - 1]!, levels[level - 1]!));
  }
  const uniform: ReadNode = (level) => levels[level]!;
  const uniformRoot = (size: number) => rootOf(uniformFrontier(size));
  const uniformFrontier = (size: number): LogFrontier => {
    const bits = [...size.toString(2)];
    const hashes = bits.flatMap((bit, i) => (bit === '1' ? [levels[bits.length - 1 - i]!] : []));
    return { size, hashes };
  };

  it('verify', () => {
    const sizes = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(sizes, sizes, (a, b) => {
        const [oldSize, newSize] = a < b ? [a, b] : [b, a];
        const [oldRoot, newRoot] = [uniformRoot(oldSize), uniformRoot(newSize)];
        const path = inclusionProof(oldSize - 1, newSize, uniform);
        assert.ok(path.length <= 53);
        const [index, leaf] = [oldSize - 1, leaves[0]!];
        assert.ok(isIncluded({ index, size: newSize, leaf, path, root: newRoot }));
        const proof = consistencyProof(oldSize, newSize, uniform);
        assert.ok(proof.length <= 54);
        assert.ok(isConsistent({ oldSize, newSize, oldRoot, newRoot, proof }));
      }),
    );
  });
});

function between(oldSize: number, newSize: number, proof: LogHash[]) {
  return { oldSize, newSize, oldRoot: roots[oldSize]!, newRoot: roots[newSize]!, proof };
}

// RFC 6962, 2.1 to 2.1.2, word by word and with nothing remembered but whole ranges.
const treeHashes = new Map<string, LogHash>();

function treeHash(begin: number, end: number): LogHash {
  const known = treeHashes.get(`${begin}:${end}`);
  if (known !== undefined) return known;
  const k = splitOf(end - begin);
  const hash =
    end - begin === 1
      ? leaves[begin]!
      : nodeHash(treeHash(begin, begin + k), treeHash(begin + k, end));
  treeHashes.set(`${begin}:${end}`, hash);
  return hash;
}

function auditPath(m: number, begin: number, end: number): LogHash[] {
  if (end - begin === 1) return [];
  const middle = begin + splitOf(end - begin);
  return m < middle - begin
    ? [...auditPath(m, begin, middle), treeHash(middle, end)]
    : [...auditPath(m - (middle - begin), middle, end), treeHash(begin, middle)];
}

interface Range {
  readonly begin: number;
  readonly end: number;
  readonly isKnown: boolean;
}

function subproof(m: number, { begin, end, isKnown }: Range): LogHash[] {
  if (m === end - begin) return isKnown ? [] : [treeHash(begin, end)];
  const k = splitOf(end - begin);
  const middle = begin + k;
  return m <= k
    ? [...subproof(m, { begin, end: middle, isKnown }), treeHash(middle, end)]
    : [...subproof(m - k, { begin: middle, end, isKnown: false }), treeHash(begin, middle)];
}

function splitOf(n: number): number {
  return 2 ** (Math.max(1, Math.ceil(Math.log2(n))) - 1);
}

function flipped(hash: LogHash, { at, bit }: { at: number; bit: number }): LogHash {
  return hash.map((byte, i) => (i === at % 32 ? byte ^ bit : byte));
}

function oneFlipped(path: LogHash[], which: number, change: { at: number; bit: number }) {
  return path.map((hash, i) => (i === which % path.length ? flipped(hash, change) : hash));
}
