import {
  EMPTY_ROOT,
  MemoryTileStorage,
  NOTE_COSIGNATURE,
  type TreeHead,
  cosign,
  ed25519Signer,
  ed25519Verifier,
  extendTiles,
  formatVerifierKey,
  openCheckpoint,
  signCheckpoint,
} from '#transparency';
import { witnessVerifier } from '#auditor';
import { afterAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

/** Tessera's check of a whole log, as its command `fsck` runs it: every entry bundle hashed, every tile compared. */
const FSCK = `package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"

	cosign "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
)

func leaves(bundle []byte) ([][]byte, error) {
	entries := &api.EntryBundle{}
	if err := entries.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	hashes := make([][]byte, 0, len(entries.Entries))
	for _, entry := range entries.Entries {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(entry))
	}
	return hashes, nil
}

// cosigned opens a checkpoint with the witness's key, and gives it another witness's cosignature.
func cosigned(path string, log note.Verifier, key string) error {
	witness, err := cosign.NewVerifier(key)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	opened, err := note.Open(data, note.VerifierList(log, witness))
	if err != nil {
		return err
	}
	if len(opened.Sigs) != 2 {
		return fmt.Errorf("%d signatures", len(opened.Sigs))
	}
	secret, public, err := note.GenerateKey(rand.Reader, "go.test/witness")
	if err != nil {
		return err
	}
	signer, err := cosign.NewSignerForCosignatureV1(secret)
	if err != nil {
		return err
	}
	signed, err := note.Sign(&note.Note{Text: opened.Text, Sigs: opened.Sigs}, signer)
	if err != nil {
		return err
	}
	vkey, err := cosign.VKeyToCosignatureV1(public)
	fmt.Printf("%s\\n%s", vkey, signed)
	return err
}

func main() {
	verifier, err := note.NewVerifier(os.Args[2])
	if err == nil && len(os.Args) > 3 {
		if err = cosigned(os.Args[1], verifier, os.Args[3]); err == nil {
			return
		}
	} else if err == nil {
		files := &client.FileFetcher{Root: os.Args[1]}
		err = fsck.New(verifier.Name(), verifier, files, leaves, fsck.Opts{N: 2}).Check(context.Background())
	}
	if err != nil {
		fmt.Println("REJECTED", err)
		os.Exit(3)
	}
	fmt.Println("ACCEPTED")
}
`;
/** Everything that it needs, so that a build asks for nothing else. */
const FSCK_MODULE = `module fsck

go 1.24.0

require (
	github.com/transparency-dev/formats v0.0.0-20251017110053-404c0d5b696c
	github.com/transparency-dev/merkle v0.0.2
	github.com/transparency-dev/tessera v1.0.4
	golang.org/x/mod v0.33.0
)
`;

const work = mkdtempSync(join(tmpdir(), 'siegel-go-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** Builds a judge; undefined, with the reason printed, where Go or its modules cannot be had. */
function built(name: string, source: string, module: string): string | undefined {
  const go = ['/usr/local/go/bin/go', '/usr/bin/go'].find((path) => existsSync(path));
  if (!go) {
    console.log(`Go is not installed: ${name} does not judge`);
    return undefined;
  }
  const cwd = join(work, name);
  mkdirSync(cwd);
  writeFileSync(join(cwd, 'main.go'), source);
  writeFileSync(join(cwd, 'go.mod'), module);
  const judge = join(cwd, 'judge');
  const args = ['build', '-mod=mod', '-o', judge, '.'];
  const { status, stderr } = spawnSync(go, args, { cwd, encoding: 'utf8', timeout: 100_000 });
  if (status === 0) return judge;
  console.log(`${name} cannot be built here, so it does not judge: ${stderr.slice(0, 300)}`);
  return undefined;
}
const judge = built('sumdb', JUDGE, 'module judge\n\ngo 1.21\n\nrequire golang.org/x/mod v0.29.0\n');
const fsck = built('fsck', FSCK, FSCK_MODULE);
const itWithGo = judge ? it : it.skip;
const itWithTessera = fsck ? it : it.skip;

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

const judged = (folder: string, by = judge): string =>
  spawnSync(by!, [folder, formatVerifierKey(origin, publicKey)], { encoding: 'utf8' }).stdout.trim();
const flip = (bytes: Buffer, at: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy[at]! ^= 1;
  return copy;
};

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

describe("Tessera's fsck", () => {
  itWithTessera.each([1, 256, 257, 600, 70_000])(
    'finds a log of %d entries whole: bundles, tiles and checkpoint',
    async (size) => {
      expect(judged(await publish([1, size]), fsck)).toBe('ACCEPTED');
    },
  );

  itWithTessera.each([
    ['an entry', 'tile/entries/001', 300],
    ['a hash tile', 'tile/0/001', 100],
    ['a tile of the second level', 'tile/1/000.p/2', 40],
    ['the checkpoint', 'checkpoint', 60],
  ])('rejects it with one bit of %s changed', async (_, changed, at) => {
    const folder = await publish([300, 600], (path, bytes) => (path === changed ? flip(bytes, at) : bytes));
    expect(judged(folder, fsck)).toMatch(/^REJECTED/);
  });
});

describe('witnesses in Go', () => {
  const witness = generateKeyPairSync('ed25519');
  const ours = formatVerifierKey('siegel.test/witness', witness.publicKey, NOTE_COSIGNATURE);
  const cosignedNote = async (): Promise<string> => {
    const note = readFileSync(join(await publish([1, 600]), 'checkpoint'), 'utf8');
    const text = note.slice(0, note.indexOf('\n\n') + 1);
    return note + cosign('siegel.test/witness', witness.privateKey, text, new Date());
  };
  const through = (note: string): string => {
    const file = join(work, 'cosigned');
    writeFileSync(file, note);
    const args = [file, formatVerifierKey(origin, publicKey), ours];
    return spawnSync(fsck!, args, { encoding: 'utf8' }).stdout;
  };

  itWithTessera('read the cosignature of ours, and give one that we read', async () => {
    const [vkey, ...lines] = through(await cosignedNote()).split('\n');
    const theirs = witnessVerifier(vkey!);
    const log = ed25519Verifier(origin, publicKey);
    const { size, witnesses } = openCheckpoint(lines.join('\n'), origin, log, [
      witnessVerifier(ours),
      theirs,
    ]);
    expect([size, witnesses]).toEqual([600, ['siegel.test/witness', 'go.test/witness']]);
  });

  itWithTessera('reject ours with one bit changed', async () => {
    const note = Buffer.from(await cosignedNote());
    expect(through(flip(note, note.length - 20).toString())).toMatch(/^REJECTED/);
  });
});
