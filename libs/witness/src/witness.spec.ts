import {
  ed25519Verifier,
  EMPTY_ROOT,
  MemoryTree,
  cosignatureVerifier,
  ed25519Signer,
  formatAddCheckpoint,
  formatVerifierKey,
  leafHash,
  openCheckpoint,
  parseVerifierKey,
  proveConsistency,
  signCheckpoint,
  signSuccession,
} from '#transparency';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseLogKeys, Witness, WitnessServer, WitnessStore } from './index.js';

const origin = 'log.test/a';
const { privateKey: logKey, publicKey: logPublic } = generateKeyPairSync('ed25519');
const { privateKey: witnessKey } = generateKeyPairSync('ed25519');
const tree = (count: number, change = ''): MemoryTree =>
  new MemoryTree(Array.from({ length: count }, (_, i) => leafHash(Buffer.from(`${change}${i}`))));
const signed = (of: MemoryTree, key: KeyObject = logKey, name = origin): string =>
  signCheckpoint({ origin: name, size: of.size, root: of.root(), extensions: [] }, [
    ed25519Signer(name, key),
  ]);

let folder: string;
let store: WitnessStore;
let witness: Witness;
const open = (): Witness => {
  store = WitnessStore.open(join(folder, 'witness.db'));
  const logs = parseLogKeys(`# our logs\n${formatVerifierKey(origin, logPublic)}\n`);
  return new Witness('witness.test/w', witnessKey, logs, store);
};
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'siegel-witness-'));
  witness = open();
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

async function submit(of: MemoryTree, oldSize: number, proofTree = of) {
  const proof = await proveConsistency(proofTree, oldSize, of.size);
  return witness.addCheckpoint(formatAddCheckpoint({ oldSize, proof, note: signed(of) }));
}

describe('Witness', () => {
  it('cosigns a growing log with lines that its verifier key checks', async () => {
    for (const [old, size] of [
      [0, 3],
      [3, 3],
      [3, 700],
    ] as const) {
      const answer = await submit(tree(size), old);
      if (answer.status !== 200) throw new Error(JSON.stringify(answer));
      const { name, publicKey } = parseVerifierKey(witness.verifierKey);
      const opened = openCheckpoint(
        signed(tree(size)) + answer.cosignature,
        origin,
        ed25519Verifier(origin, logPublic),
        [cosignatureVerifier(name, publicKey)],
      );
      expect(opened).toMatchObject({ size, witnesses: ['witness.test/w'] });
    }
    expect(witness.latest(origin)).toBe(signed(tree(700)));
  });

  it('answers 409 with its size to another old size, and remembers it over a restart', async () => {
    await submit(tree(5), 0);
    store.close();
    witness = open();
    expect(await submit(tree(9), 0)).toMatchObject({ status: 409, size: 5 });
    expect(await submit(tree(9), 5)).toMatchObject({ status: 200 });
  });

  it('refuses a fork: another tree of the same size, or one that does not extend it', async () => {
    await submit(tree(5), 0);
    expect(await submit(tree(5, 'x'), 5)).toMatchObject({ status: 409, size: 5 });
    expect(await submit(tree(9, 'x'), 5)).toMatchObject({ status: 422 });
  });

  it('refuses a log that was rolled back', async () => {
    await submit(tree(9), 0);
    expect(await submit(tree(5), 5)).toMatchObject({ status: 409, size: 9 });
  });

  it.each([
    ['another log', 404, signed(tree(2), logKey, 'log.test/b')],
    ['another key', 403, signed(tree(2), witnessKey)],
    ['a changed checkpoint', 403, signed(tree(2)).replace('\n2\n', '\n3\n')],
    ['no checkpoint', 400, 'x\n\n'],
  ])('refuses %s with %i', (_, status, note) => {
    expect(witness.addCheckpoint(formatAddCheckpoint({ oldSize: 0, proof: [], note }))).toMatchObject({
      status,
    });
    expect(store.latest(origin)).toBeUndefined();
  });

  it.each([
    ['an old size above the new one', 400, { oldSize: 3, proof: [] }],
    ['a proof from nothing', 422, { oldSize: 0, proof: [EMPTY_ROOT] }],
    ['more than 63 hashes', 400, { oldSize: 0, proof: Array<Buffer>(64).fill(EMPTY_ROOT) }],
  ])('refuses %s with %i', (_, status, { oldSize, proof }) => {
    const body = formatAddCheckpoint({ oldSize, proof, note: signed(tree(2)) });
    expect(witness.addCheckpoint(body)).toMatchObject({ status });
  });

  it.each(['old 00\n\n', 'new 0\n\n', 'old 0\nRQA=\n\n', 'old -1\n\n', ''])('refuses the body %j', (head) => {
    expect(witness.addCheckpoint(head + signed(tree(2)))).toMatchObject({ status: 400 });
  });

  describe('of a log that changes its key', () => {
    const [next, thief] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')];
    const succession = (to = next.publicKey, by: KeyObject = logKey, of = origin) =>
      signSuccession(of, to, 1_000, ed25519Signer(of, by));
    const submitBy = async (of: MemoryTree, oldSize: number, ...keys: KeyObject[]) => {
      const note = signCheckpoint(
        { origin, size: of.size, root: of.root(), extensions: [] },
        keys.map((key) => ed25519Signer(origin, key)),
      );
      const proof = await proveConsistency(of, oldSize, of.size);
      return witness.addCheckpoint(formatAddCheckpoint({ oldSize, proof, note }));
    };

    it('goes on with the key that the one before names, over a restart, and no more with the one before', async () => {
      await submit(tree(3), 0);
      expect(await submitBy(tree(4), 3, next.privateKey)).toMatchObject({ status: 403 });
      expect(witness.addSuccession(succession())).toEqual({ status: 200, origin });
      expect(witness.addSuccession(succession())).toEqual({ status: 200, origin });
      expect(await submitBy(tree(4), 3, next.privateKey, logKey)).toMatchObject({ status: 200 });
      store.close();
      witness = open();
      expect(await submitBy(tree(5), 4, next.privateKey)).toMatchObject({ status: 200 });
      expect(await submitBy(tree(6), 5, logKey)).toMatchObject({ status: 403 });
      store.close();
      witness = open();
      expect(await submitBy(tree(6), 5, logKey)).toMatchObject({ status: 403 });
      expect(await submitBy(tree(6), 5, next.privateKey)).toMatchObject({ status: 200 });
    });

    it.each<[string, () => string, number]>([
      ['by the new key itself', () => succession(thief.publicKey, thief.privateKey), 403],
      ['of a log that is not witnessed', () => succession(next.publicKey, logKey, 'log.test/b'), 404],
      ['that is none', () => 'x', 400],
      ['that was changed', () => succession().replace('1000', '1001'), 403],
    ])('refuses a succession %s', async (_, make, status) => {
      expect(witness.addSuccession(make())).toMatchObject({ status });
      expect(await submitBy(tree(1), 0, thief.privateKey)).toMatchObject({ status: 403 });
    });

    it('refuses a second successor of one key', async () => {
      witness.addSuccession(succession());
      expect(witness.addSuccession(succession(thief.publicKey))).toMatchObject({ status: 403 });
      expect(await submitBy(tree(1), 0, thief.privateKey)).toMatchObject({ status: 403 });
    });
  });

  it('does not let a second process on its state go back', async () => {
    const second = WitnessStore.open(join(folder, 'witness.db'));
    const other = new Witness('witness.test/w', witnessKey, [{ name: origin, publicKey: logPublic }], second);
    await submit(tree(9), 0);
    const body = formatAddCheckpoint({ oldSize: 0, proof: [], note: signed(tree(4)) });
    expect(other.addCheckpoint(body)).toMatchObject({ status: 409, size: 9 });
    second.close();
  });
});

describe('WitnessServer', () => {
  it('speaks the protocol over HTTP', async () => {
    const server = await WitnessServer.listen(witness, { host: '127.0.0.1', port: 0, log: () => undefined });
    const url = `http://127.0.0.1:${server.port}`;
    try {
      const post = (body: string) => fetch(`${url}/add-checkpoint`, { method: 'POST', body });
      const first = await post(formatAddCheckpoint({ oldSize: 0, proof: [], note: signed(tree(4)) }));
      expect(first.status).toBe(200);
      expect(await first.text()).toMatch(/^— witness\.test\/w [A-Za-z0-9+/=]+\n$/);
      const stale = await post(formatAddCheckpoint({ oldSize: 0, proof: [], note: signed(tree(6)) }));
      expect([stale.status, stale.headers.get('content-type'), await stale.text()]).toEqual([
        409,
        'text/x.tlog.size',
        '4\n',
      ]);
      expect((await post('x'.repeat(70_000))).status).toBe(413);
      expect((await fetch(`${url}/add-checkpoint`)).status).toBe(405);
      expect(await (await fetch(`${url}/key`)).text()).toBe(`${witness.verifierKey}\n`);
      const kept = await fetch(`${url}/checkpoint?origin=${encodeURIComponent(origin)}`);
      expect(await kept.text()).toBe(signed(tree(4)));
      expect((await fetch(`${url}/checkpoint?origin=other`)).status).toBe(404);
    } finally {
      await server.close();
    }
  });
});
