import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  EMPTY_ROOT,
  Frontier,
  MemoryTileStorage,
  MemoryTree,
  TileHashSource,
  TransparencyError,
  type TreeHead,
  decodeEntryBundle,
  encodeEntryBundle,
  extendTiles,
  leafHash,
  parseTilePath,
  proveConsistency,
  proveInclusion,
  tilePath,
  verifyConsistency,
  verifyInclusion,
} from './index.js';

const entry = (i: number) => Buffer.from(`{"n":${i}}`);
const reader = (start: number, end: number) =>
  Array.from({ length: end - start }, (_, i) => entry(start + i));
const NOTHING: TreeHead = { size: 0, root: EMPTY_ROOT };

function headOf(size: number): TreeHead {
  const frontier = Frontier.empty();
  for (let i = 0; i < size; i++) frontier.append(leafHash(entry(i)));
  return { size, root: frontier.root() };
}

describe('tile paths', () => {
  it('are those of the specification', () => {
    expect(tilePath({ level: 0, index: 1234067, width: 256 })).toBe('tile/0/x001/x234/067');
    expect(tilePath({ level: 'entries', index: 0, width: 5 })).toBe('tile/entries/000.p/5');
    expect(tilePath({ level: 2, index: 1000, width: 256 })).toBe('tile/2/x001/000');
  });

  it('round-trip, and only so', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.integer({ min: 0, max: 63 }), fc.constant('entries' as const)),
        fc.integer({ min: 0, max: 2 ** 45 }),
        fc.integer({ min: 1, max: 256 }),
        (level, index, width) => {
          expect(parseTilePath(tilePath({ level, index, width }))).toEqual({ level, index, width });
        },
      ),
    );
  });

  it.each([
    'tile/0/1',
    'tile/00/001',
    'tile/64/001',
    'tile/0/x000/001',
    'tile/0/001.p/0',
    'tile/0/001.p/256',
    'tile/0/001.p/01',
    'tile/0/001/002',
    'tile/0/x001',
    'tile/entries/../../etc',
    'tile/0/x001/x001/x001/x001/x001/x001/x001/001',
    '/tile/0/001',
    'tile/0/001\n',
  ])('refuse %j', (path) => {
    expect(() => parseTilePath(path)).toThrow(TransparencyError);
  });
});

describe('entry bundles', () => {
  it('round-trip any entries', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 256 }),
        (entries) => {
          const decoded = decodeEntryBundle(encodeEntryBundle(entries), entries.length);
          expect(decoded.map((e) => e.toString('hex'))).toEqual(
            entries.map((e) => Buffer.from(e).toString('hex')),
          );
        },
      ),
    );
  });

  it('refuse truncation, surplus, wrong widths and oversized entries', () => {
    const bundle = encodeEntryBundle([Buffer.from('one'), Buffer.from('two')]);
    for (const width of [1, 3]) expect(() => decodeEntryBundle(bundle, width)).toThrow(TransparencyError);
    for (let cut = 0; cut < bundle.length; cut++) {
      expect(() => decodeEntryBundle(bundle.subarray(0, cut), 2)).toThrow(TransparencyError);
    }
    expect(() => decodeEntryBundle(Buffer.concat([bundle, Buffer.from([0])]), 2)).toThrow(TransparencyError);
    expect(() => encodeEntryBundle([Buffer.alloc(65_536)])).toThrow(TransparencyError);
    expect(() => encodeEntryBundle([])).toThrow(TransparencyError);
  });

  it('never fail otherwise on arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.integer({ min: 1, max: 256 }), (bytes, width) => {
        try {
          expect(decodeEntryBundle(bytes, width)).toHaveLength(width);
        } catch (error) {
          expect(error).toBeInstanceOf(TransparencyError);
        }
      }),
    );
  });
});

describe('extending tiles', () => {
  it('gives the same tree in one step and in many, and every proof from tiles holds', async () => {
    const storage = new MemoryTileStorage();
    const heads: TreeHead[] = [];
    let head = NOTHING;
    for (const size of [1, 2, 255, 256, 257, 300, 600, 65_536, 65_537, 70_000]) {
      head = await extendTiles(storage, head, size, reader);
      expect(head).toEqual(headOf(size));
      heads.push(head);
    }
    const once = new MemoryTileStorage();
    await extendTiles(once, NOTHING, 70_000, reader);
    for (const [path, bytes] of once.files) expect(storage.files.get(path)?.equals(bytes)).toBe(true);
    // The example of the specification: 273 full and one partial of level 0, one full and one partial of level 1.
    const names = [...once.files.keys()];
    expect(names.filter((name) => /^tile\/0\//.test(name))).toHaveLength(274);
    expect(names).toEqual(
      expect.arrayContaining(['tile/0/273.p/112', 'tile/1/000', 'tile/1/001.p/17', 'tile/2/000.p/1']),
    );

    const source = new TileHashSource(storage, head.size);
    expect(await source.root()).toEqual(head.root);
    for (const index of [0, 1, 255, 256, 65_535, 65_536, 69_999]) {
      const proof = await proveInclusion(source, index, head.size);
      verifyInclusion(leafHash(entry(index)), index, head.size, proof, head.root);
    }
    for (const old of heads) {
      verifyConsistency(
        old.size,
        old.root,
        head.size,
        head.root,
        await proveConsistency(source, old.size, head.size),
      );
    }
    const bundle = storage.files.get('tile/entries/273.p/112')!;
    expect(decodeEntryBundle(bundle, 112)[111]).toEqual(entry(69_999));
  });

  it('is repaired by calling again after a crash between any two writes', async () => {
    const before = new MemoryTileStorage();
    const old = await extendTiles(before, NOTHING, 250, reader);
    const whole = new MemoryTileStorage();
    await extendTiles(whole, NOTHING, 250, reader);
    const expected = await extendTiles(whole, old, 530, reader);
    for (let writes = 0; ; writes++) {
      const storage = new MemoryTileStorage();
      for (const [path, bytes] of before.files) await storage.write(path, bytes);
      let left = writes;
      const crashing = {
        read: (path: string) => storage.read(path),
        write: (path: string, bytes: Uint8Array) =>
          left-- > 0 ? storage.write(path, bytes) : Promise.reject(new Error('power lost')),
      };
      const done = await extendTiles(crashing, old, 530, reader).catch(() => undefined);
      expect(await extendTiles(storage, old, 530, reader)).toEqual(expected);
      expect([...storage.files.keys()].sort()).toEqual([...whole.files.keys()].sort());
      if (done) {
        expect(writes).toBeGreaterThan(4);
        break;
      }
    }
  });

  it('refuses to build on tiles that were changed, cut or removed', async () => {
    const storage = new MemoryTileStorage();
    const head = await extendTiles(storage, NOTHING, 300, reader);
    const path = 'tile/0/001.p/44';
    const good = storage.files.get(path)!;
    const changed = Buffer.from(good);
    changed[40]! ^= 1;
    storage.files.set(path, changed);
    await expect(extendTiles(storage, head, 310, reader)).rejects.toMatchObject({
      code: 'TREE_INCONSISTENT',
    });
    storage.files.set(path, good.subarray(1));
    await expect(extendTiles(storage, head, 310, reader)).rejects.toMatchObject({ code: 'TILE_MALFORMED' });
    storage.files.delete(path);
    await expect(extendTiles(storage, head, 310, reader)).rejects.toMatchObject({ code: 'TILE_MISSING' });
    storage.files.set(path, good);
    await expect(extendTiles(storage, head, 310, () => [])).rejects.toMatchObject({
      code: 'TREE_INCONSISTENT',
    });
    await expect(extendTiles(storage, head, 299, reader)).rejects.toMatchObject({
      code: 'INDEX_OUT_OF_RANGE',
    });
  });

  it('uses the full tile where the partial one was pruned', async () => {
    const storage = new MemoryTileStorage();
    const old = await extendTiles(storage, NOTHING, 100, reader);
    await extendTiles(storage, old, 256, reader);
    storage.files.delete('tile/0/000.p/100');
    expect(await new TileHashSource(storage, 100).root()).toEqual(old.root);
  });
});

describe('a tree from tiles', () => {
  it('equals the memory tree at random sizes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 5 }),
        async (steps) => {
          const storage = new MemoryTileStorage();
          let head = NOTHING;
          for (const step of steps) head = await extendTiles(storage, head, head.size + step, reader);
          const tree = new MemoryTree(reader(0, head.size).map((e) => leafHash(e)));
          expect(head.root).toEqual(tree.root());
          const source = new TileHashSource(storage, head.size);
          const index = head.size >> 1;
          expect(await proveInclusion(source, index, head.size)).toEqual(tree.path(index));
        },
      ),
      { numRuns: 25 },
    );
  });
});
