import {
  EMPTY_ROOT,
  extendTiles,
  Frontier,
  leafHash,
  TileHashSource,
  TransparencyError,
  type TreeHead,
} from '#transparency';
import type { ContainerClient } from '@azure/storage-blob';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Azurite } from '../../../../test/azurite.js';
import { FencedError } from '../store/fenced-error.js';
import { readBlobFile } from './blob-settings.js';
import { BlobTileStorage } from './blob-tile-storage.js';
import { FileTileStorage } from './file-tile-storage.js';
import { CHECKPOINT, type TileStore } from './tile-store.js';

const folder = mkdtempSync(join(tmpdir(), 'siegel-tile-store-'));
let azurite: Azurite;
let container: ContainerClient;

beforeAll(async () => {
  azurite = await Azurite.start();
  container = await azurite.container('siegel-log');
}, 60_000);
afterAll(async () => {
  await azurite.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Two openings of the same place, as two processes have it. */
const places: Record<string, (place: string) => TileStore> = {
  'a folder': (place) => new FileTileStorage(join(folder, place)),
  'Azure Blob Storage': (place) => new BlobTileStorage(() => Promise.resolve(container), `${place}/`),
};

const entries = Array.from({ length: 600 }, (_, i) => Buffer.from(`entry ${i}`));
const rootOf = (size: number): Buffer => {
  const frontier = Frontier.empty();
  for (const entry of entries.slice(0, size)) frontier.append(leafHash(entry));
  return frontier.root();
};
const read = (start: number, end: number) => entries.slice(start, end);

/** Stops, as a crash does, before the write of this number. */
function crashing(store: TileStore, before: number): TileStore {
  let writes = 0;
  return {
    read: (path) => store.read(path),
    write: (path, bytes) => {
      if (++writes >= before) throw new Error('crash');
      return store.write(path, bytes);
    },
    claim: (term) => store.claim(term),
    removePartials: (path) => store.removePartials(path),
  };
}
const publish = async (store: TileStore, from: TreeHead, size: number): Promise<TreeHead> => {
  const head = await extendTiles(store, from, size, read);
  await store.write(CHECKPOINT, Buffer.from(`${head.size}`));
  return head;
};

describe.each(Object.keys(places))('tiles in %s', (kind) => {
  const open = (place: string) => places[kind]!(place);

  it('are read as they were written, by whoever opens the place; nothing is nothing', async () => {
    const place = randomUUID();
    await open(place).write('tile/0/000', Buffer.from('hashes'));
    await open(place).write('tile/entries/x001/234.p/5', Buffer.alloc(0));
    expect(await open(place).read('tile/0/000')).toEqual(Buffer.from('hashes'));
    expect(await open(place).read('tile/entries/x001/234.p/5')).toEqual(Buffer.alloc(0));
    expect(await open(place).read('tile/0/001')).toBeUndefined();
    expect(await open(place).read(CHECKPOINT)).toBeUndefined();
  });

  it('are written again with the same bytes, as behind a crash', async () => {
    const place = randomUUID();
    for (let i = 0; i < 2; i++) await open(place).write('tile/0/000', Buffer.from('hashes'));
    expect(await open(place).read('tile/0/000')).toEqual(Buffer.from('hashes'));
  });

  it('replace the checkpoint, and remove the partial tiles of a full one alone', async () => {
    const place = randomUUID();
    const store = open(place);
    for (const text of ['1', '2', '3']) await store.write(CHECKPOINT, Buffer.from(text));
    for (const path of ['tile/0/000.p/1', 'tile/0/000.p/200', 'tile/0/000', 'tile/0/001.p/1'])
      await store.write(path, Buffer.from(path));
    await store.removePartials('tile/0/000');
    const found = await Promise.all(
      ['tile/0/000.p/1', 'tile/0/000.p/200', 'tile/0/000', 'tile/0/001.p/1', CHECKPOINT].map((path) =>
        open(place).read(path),
      ),
    );
    expect(found.map((bytes) => bytes !== undefined)).toEqual([false, false, true, true, true]);
    expect(found.at(-1)).toEqual(Buffer.from('3'));
  });

  it('go on from a crash between any two writes, with the same tree', async () => {
    // 255 entries, then 300: full and partial tiles of two levels, bundles, and the checkpoint.
    for (let before = 1; before <= 9; before++) {
      const place = randomUUID();
      const first = await publish(open(place), { size: 0, root: EMPTY_ROOT }, 255);
      await publish(crashing(open(place), before), first, 300).catch((error: Error) =>
        expect(error.message).toBe('crash'),
      );
      // The next process knows what the checkpoint says.
      const again = open(place);
      const size = Number((await again.read(CHECKPOINT))!.toString());
      expect([255, 300]).toContain(size);
      const head = await publish(again, { size, root: rootOf(size) }, 600);
      expect(head.root).toEqual(rootOf(600));
      expect(await new TileHashSource(open(place), 600).root()).toEqual(rootOf(600));
    }
  }, 60_000);

  it('are claimed once per term, and a later term leaves no checkpoint to a former holder', async () => {
    const place = randomUUID();
    const [first, second] = [open(place), open(place)];
    await first.claim(1);
    await first.write(CHECKPOINT, Buffer.from('one'));
    await expect(open(place).claim(1)).rejects.toThrow();
    await second.claim(2);
    // The former holder wakes before the new one has written anything.
    await expect(first.write(CHECKPOINT, Buffer.from('late'))).rejects.toThrow(FencedError);
    expect(await open(place).read(CHECKPOINT)).toEqual(Buffer.from('one'));
    await second.write(CHECKPOINT, Buffer.from('two'));
    await second.write(CHECKPOINT, Buffer.from('three'));
    await expect(first.write(CHECKPOINT, Buffer.from('late'))).rejects.toThrow(FencedError);
    expect(await open(place).read(CHECKPOINT)).toEqual(Buffer.from('three'));
  });
});

describe('tiles in Azure Blob Storage', () => {
  const open = places['Azure Blob Storage']!;

  it('can never be changed', async () => {
    const place = randomUUID();
    await open(place).write('tile/0/000', Buffer.from('hashes'));
    const change = open(place).write('tile/0/000', Buffer.from('others'));
    await expect(change).rejects.toThrow(expect.objectContaining({ code: 'TREE_INCONSISTENT' }));
    await expect(change).rejects.toThrow(TransparencyError);
    expect(await open(place).read('tile/0/000')).toEqual(Buffer.from('hashes'));
  });

  it('lose the race for a checkpoint to the one who was faster, first or later', async () => {
    const place = randomUUID();
    const [one, two] = [open(place), open(place)];
    expect([await one.read(CHECKPOINT), await two.read(CHECKPOINT)]).toEqual([undefined, undefined]);
    const results = await Promise.allSettled([
      one.write(CHECKPOINT, Buffer.from('one')),
      two.write(CHECKPOINT, Buffer.from('two')),
    ]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const loser = results.find((result) => result.status === 'rejected')!;
    expect(loser.reason).toBeInstanceOf(FencedError);
    // A process that was paused since does not win with what it knew.
    const [late, fast] = [open(place), open(place)];
    await late.read(CHECKPOINT);
    await fast.read(CHECKPOINT);
    await fast.write(CHECKPOINT, Buffer.from('fast'));
    await expect(late.write(CHECKPOINT, Buffer.from('late'))).rejects.toThrow(FencedError);
    expect(await open(place).read(CHECKPOINT)).toEqual(Buffer.from('fast'));
  });

  it('take a write whose answer was lost for what it is', async () => {
    const place = randomUUID();
    const store = open(place);
    await store.write(CHECKPOINT, Buffer.from('one'));
    // The same bytes by another hand: what a repeated request finds after the first one arrived.
    const other = open(place);
    await other.read(CHECKPOINT);
    await other.write(CHECKPOINT, Buffer.from('two'));
    await store.write(CHECKPOINT, Buffer.from('two'));
    await store.write(CHECKPOINT, Buffer.from('three'));
    expect(await open(place).read(CHECKPOINT)).toEqual(Buffer.from('three'));
  });

  it('are no empty log where the container is missing or out of reach', async () => {
    const missing = await azurite.container('soon-gone');
    await missing.delete();
    const nowhere = new BlobTileStorage(() => Promise.resolve(missing), 'x/');
    await expect(nowhere.read(CHECKPOINT)).rejects.toThrow();
    await expect(nowhere.write('tile/0/000', Buffer.from('x'))).rejects.toThrow();
    const unreachable = new BlobTileStorage(() => Promise.reject(new Error('no credential')), 'x/');
    await expect(unreachable.read(CHECKPOINT)).rejects.toThrow('no credential');
  });
});

describe('the settings of a container', () => {
  const file = join(folder, 'blob.json');
  const secret = join(folder, 'connection.txt');
  const settings = (content: unknown) => {
    writeFileSync(file, JSON.stringify(content));
    return readBlobFile(file);
  };
  const container = 'https://shop.blob.core.windows.net/log';

  it('name a container and an identity, or a connection string in a file', () => {
    expect(settings({ container, identity: { kind: 'workload' }, prefix: 'a/b' })).toEqual({
      container,
      identity: { kind: 'workload' },
      prefix: 'a/b/',
    });
    writeFileSync(secret, 'AccountKey=x\n', { mode: 0o600 });
    expect(settings({ connectionStringFile: 'connection.txt', containerName: 'log' })).toEqual({
      connection: { text: 'AccountKey=x', containerName: 'log' },
      prefix: '',
    });
  });

  it.each([
    {},
    { container },
    { container: 'http://shop.blob.core.windows.net/log', identity: { kind: 'workload' } },
    { container, identity: { kind: 'key' } },
    { container, identity: { kind: 'workload' }, connectionStringFile: 'x' },
    { connectionStringFile: 'connection.txt' },
    { connectionStringFile: 'none.txt', containerName: 'log' },
    { container, identity: { kind: 'workload' }, prefix: '../x' },
    { container, identity: { kind: 'workload' }, prefix: 'a/' },
    { container, identity: { kind: 'workload' }, more: 1 },
  ])('are refused as %j', (content) => {
    expect(() => settings(content)).toThrow(/SIEGEL_AUDIT_TILES_BLOB_FILE/);
  });
});
