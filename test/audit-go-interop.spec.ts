import {
  EMPTY_ROOT,
  MemoryTileStorage,
  type TreeHead,
  ed25519Signer,
  extendTiles,
  formatVerifierKey,
  signCheckpoint,
} from '#transparency';
import { afterAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** The Go project's own implementation of notes and tiled trees judges ours. */
const JUDGE = `package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type folder string

func (f folder) Height() int { return 8 }
func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}
func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range tiles {
		data, err := os.ReadFile(string(f) + "/" + strings.Replace(t.Path(), "tile/8/", "tile/", 1))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func fail(what string, err error) {
	if err != nil {
		fmt.Println("REJECTED", what, err)
		os.Exit(3)
	}
}

func head(dir, name string, verifier note.Verifier) tlog.Tree {
	data, err := os.ReadFile(dir + "/" + name)
	fail("read", err)
	opened, err := note.Open(data, note.VerifierList(verifier))
	fail("note", err)
	lines := strings.Split(opened.Text, "\\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	fail("size", err)
	root, err := base64.StdEncoding.DecodeString(lines[2])
	fail("root", err)
	var hash tlog.Hash
	copy(hash[:], root)
	return tlog.Tree{N: size, Hash: hash}
}

func main() {
	dir := os.Args[1]
	verifier, err := note.NewVerifier(os.Args[2])
	fail("key", err)
	old, tree := head(dir, "checkpoint.old", verifier), head(dir, "checkpoint", verifier)
	reader := tlog.TileHashReader(tree, folder(dir))
	for _, index := range []int64{0, 1, old.N - 1, old.N, tree.N / 2, tree.N - 1} {
		proof, err := tlog.ProveRecord(tree.N, index, reader)
		fail("prove record", err)
		leaf := tlog.RecordHash([]byte(fmt.Sprintf("{\\"n\\":%d}", index)))
		fail("record", tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaf))
	}
	proof, err := tlog.ProveTree(tree.N, old.N, reader)
	fail("prove tree", err)
	fail("tree", tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash))
	fmt.Println("ACCEPTED", tree.N)
}
`;

const work = mkdtempSync(join(tmpdir(), 'siegel-go-'));
const judge = join(work, 'judge');
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** Builds the judge; false, with the reason printed, where Go or its module cannot be had. */
function built(): boolean {
  const go = ['/usr/local/go/bin/go', '/usr/bin/go'].find((path) => existsSync(path));
  if (!go) {
    console.log('Go is not installed: the check against golang.org/x/mod does not run');
    return false;
  }
  writeFileSync(join(work, 'main.go'), JUDGE);
  writeFileSync(join(work, 'go.mod'), 'module judge\n\ngo 1.21\n\nrequire golang.org/x/mod v0.29.0\n');
  const args = ['build', '-mod=mod', '-o', judge, '.'];
  const { status, stderr } = spawnSync(go, args, { cwd: work, encoding: 'utf8', timeout: 100_000 });
  if (status !== 0)
    console.log(`golang.org/x/mod cannot be built here, so it does not judge: ${stderr.slice(0, 300)}`);
  return status === 0;
}
const itWithGo = built() ? it : it.skip;

const origin = 'siegel.test/default';
const { privateKey, publicKey } = generateKeyPairSync('ed25519');

/** A log of two steps in a folder; `damage` may change a file before it is written. */
async function publish(
  sizes: [number, number],
  damage?: (path: string, bytes: Buffer) => Buffer,
): Promise<string> {
  const folder = mkdtempSync(join(work, 'log-'));
  const storage = new MemoryTileStorage();
  let head: TreeHead = { size: 0, root: EMPTY_ROOT };
  const notes: string[] = [];
  for (const size of sizes) {
    head = await extendTiles(storage, head, size, (start, end) =>
      Array.from({ length: end - start }, (_, i) => Buffer.from(`{"n":${start + i}}`)),
    );
    notes.push(
      signCheckpoint({ origin, size: head.size, root: head.root, extensions: [] }, [
        ed25519Signer(origin, privateKey),
      ]),
    );
  }
  const files = new Map([
    ...storage.files,
    ['checkpoint.old', Buffer.from(notes[0]!)],
    ['checkpoint', Buffer.from(notes[1]!)],
  ]);
  for (const [path, bytes] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), damage ? damage(path, bytes) : bytes);
  }
  return folder;
}

const judged = (folder: string): string =>
  spawnSync(judge, [folder, formatVerifierKey(origin, publicKey)], { encoding: 'utf8' }).stdout.trim();

describe("Go's sumdb packages", () => {
  itWithGo.each([
    [1, 2],
    [200, 256],
    [255, 257],
    [300, 600],
    [65_000, 70_000],
  ] as [number, number][])('accept our tiles, checkpoints and growth from %d to %d', async (old, size) => {
    expect(judged(await publish([old, size]))).toBe(`ACCEPTED ${size}`);
  });

  itWithGo('reject them when a tile or a signature has one bit changed', async () => {
    const flip = (bytes: Buffer, at: number): Buffer => {
      const copy = Buffer.from(bytes);
      copy[at]! ^= 1;
      return copy;
    };
    const tile = await publish([300, 600], (path, bytes) =>
      path === 'tile/0/001' ? flip(bytes, 100) : bytes,
    );
    expect(judged(tile)).toMatch(/^REJECTED (?:prove )?record/);
    const note = await publish([300, 600], (path, bytes) =>
      path === 'checkpoint' ? flip(bytes, bytes.length - 20) : bytes,
    );
    expect(judged(note)).toMatch(/^REJECTED note/);
  });
});
