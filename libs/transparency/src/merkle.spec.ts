import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  EMPTY_ROOT,
  Frontier,
  MemoryTree,
  TransparencyError,
  leafHash,
  nodeHash,
  proveConsistency,
  proveInclusion,
  verifyConsistency,
  verifyInclusion,
} from './index.js';

const leaves = (n: number) => Array.from({ length: n }, (_, i) => leafHash(Buffer.from(`entry ${i}`)));

/** MTH of RFC 6962 section 2.1, written down as the RFC states it. */
function mth(hashes: readonly Buffer[]): Buffer {
  if (hashes.length === 0) return createHash('sha256').digest();
  if (hashes.length === 1) return hashes[0]!;
  let k = 1;
  while (k * 2 < hashes.length) k *= 2;
  return nodeHash(mth(hashes.slice(0, k)), mth(hashes.slice(k)));
}

const flipped = (hash: Buffer, bit: number): Buffer => {
  const copy = Buffer.from(hash);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
};

describe('RFC 6962 hashing', () => {
  // Roots of the eight-leaf example tree that Certificate Transparency implementations test against.
  const inputs = [
    '',
    '00',
    '10',
    '2021',
    '3031',
    '40414243',
    '5051525354555657',
    '606162636465666768696a6b6c6d6e6f',
  ];
  const roots = [
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
    '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
    'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
    '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
  ];
  it('gives the known roots', () => {
    const frontier = Frontier.empty();
    expect(frontier.root()).toEqual(EMPTY_ROOT);
    inputs.forEach((input, i) => {
      frontier.append(leafHash(Buffer.from(input, 'hex')));
      expect(frontier.root().toString('hex')).toBe(roots[i]);
    });
  });
});

describe('tree and frontier', () => {
  it('agree with the definition of the RFC for every size to 130', () => {
    const all = leaves(130);
    const frontier = Frontier.empty();
    for (let n = 0; n <= 130; n++) {
      const expected = mth(all.slice(0, n));
      expect(new MemoryTree(all.slice(0, n)).root()).toEqual(expected);
      expect(frontier.root()).toEqual(expected);
      expect(Frontier.from(n, frontier.edge).root()).toEqual(expected);
      if (n < 130) frontier.append(all[n]!);
    }
  });

  it('refuse an edge that does not fit the size', () => {
    expect(() => Frontier.from(3, [EMPTY_ROOT])).toThrow(TransparencyError);
    expect(() => Frontier.from(1, [EMPTY_ROOT.subarray(1)])).toThrow(TransparencyError);
  });
});

describe('inclusion proofs', () => {
  it('hold for every leaf of every tree to 70 and equal the tree path', async () => {
    const all = leaves(70);
    const whole = new MemoryTree(all);
    for (let size = 1; size <= 70; size++) {
      const tree = new MemoryTree(all.slice(0, size));
      for (let index = 0; index < size; index++) {
        const proof = await proveInclusion(whole, index, size);
        expect(proof).toEqual(tree.path(index));
        verifyInclusion(all[index]!, index, size, proof, tree.root());
      }
    }
  });

  it('fail for another leaf, index, size, root or path', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 600 }).chain((size) =>
          fc.record({
            size: fc.constant(size),
            index: fc.integer({ min: 0, max: size - 1 }),
            other: fc.integer({ min: 0, max: size - 1 }),
            bit: fc.integer({ min: 0, max: 255 }),
            pick: fc.nat(),
          }),
        ),
        async ({ size, index, other, bit, pick }) => {
          const all = leaves(size);
          const tree = new MemoryTree(all);
          const proof = await proveInclusion(tree, index, size);
          const root = tree.root();
          verifyInclusion(all[index]!, index, size, proof, root);
          const refused = (act: () => void) => expect(act).toThrow(TransparencyError);
          refused(() => verifyInclusion(flipped(all[index]!, bit), index, size, proof, root));
          refused(() => verifyInclusion(all[index]!, index, size, proof, flipped(root, bit)));
          if (other !== index) refused(() => verifyInclusion(all[index]!, other, size, proof, root));
          const at = pick % proof.length;
          const altered = proof.map((hash, i) => (i === at ? flipped(hash, bit) : hash));
          refused(() => verifyInclusion(all[index]!, index, size, altered, root));
          refused(() => verifyInclusion(all[index]!, index, size, proof.slice(1), root));
          refused(() => verifyInclusion(all[index]!, index, size, [...proof, root], root));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('refuse indexes outside the tree', async () => {
    const tree = new MemoryTree(leaves(3));
    await expect(proveInclusion(tree, 3, 3)).rejects.toMatchObject({ code: 'INDEX_OUT_OF_RANGE' });
    await expect(proveInclusion(tree, 0, 0)).rejects.toMatchObject({ code: 'INDEX_OUT_OF_RANGE' });
    await expect(proveInclusion(tree, 0.5, 3)).rejects.toMatchObject({ code: 'INDEX_OUT_OF_RANGE' });
    expect(() => tree.path(-1)).toThrow(TransparencyError);
  });
});

describe('consistency proofs', () => {
  it('hold for every pair of sizes to 70', async () => {
    const tree = new MemoryTree(leaves(70));
    for (let size = 0; size <= 70; size++) {
      for (let old = 0; old <= size; old++) {
        const proof = await proveConsistency(tree, old, size);
        verifyConsistency(old, tree.rootAt(old), size, tree.rootAt(size), proof);
      }
    }
  });

  it('fail for a rewritten history, whatever was rewritten', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 500 }).chain((size) =>
          fc.record({
            size: fc.constant(size),
            old: fc.integer({ min: 1, max: size - 1 }),
            pick: fc.nat(),
            bit: fc.integer({ min: 0, max: 255 }),
          }),
        ),
        async ({ size, old, pick, bit }) => {
          const all = leaves(size);
          const tree = new MemoryTree(all);
          const forged = new MemoryTree(all.map((leaf, i) => (i === pick % old ? flipped(leaf, bit) : leaf)));
          const proof = await proveConsistency(tree, old, size);
          const forgedProof = await proveConsistency(forged, old, size);
          const [a, b, c] = [tree.rootAt(old), tree.root(), forged.root()];
          verifyConsistency(old, a, size, b, proof);
          expect(() => verifyConsistency(old, a, size, c, forgedProof)).toThrow(TransparencyError);
          expect(() => verifyConsistency(old, a, size, c, proof)).toThrow(TransparencyError);
          expect(() => verifyConsistency(old, a, size, b, [...proof, a])).toThrow(TransparencyError);
          expect(() => verifyConsistency(old, a, size, b, proof.slice(1))).toThrow(TransparencyError);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('refuse a shrunken log and a changed root of equal size', () => {
    const tree = new MemoryTree(leaves(5));
    expect(() => verifyConsistency(5, tree.root(), 4, tree.rootAt(4), [])).toThrow(TransparencyError);
    expect(() => verifyConsistency(5, tree.root(), 5, tree.rootAt(4), [])).toThrow(TransparencyError);
    expect(() => verifyConsistency(0, tree.root(), 5, tree.root(), [])).toThrow(TransparencyError);
    expect(() => verifyConsistency(5, tree.root(), 5, tree.root(), [EMPTY_ROOT])).toThrow(TransparencyError);
  });
});
