import {
  EMPTY_ROOT,
  cosignatureVerifier,
  ed25519Verifier,
  leafHash,
  MemoryTree,
  openCheckpoint,
  parseVerifierKey,
} from '#transparency';
import { Witness, WitnessServer, WitnessStore } from '#witness';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openLogForWriting } from '../store/log-database.js';
import { FileTileStorage } from './file-tile-storage.js';
import { CHECKPOINT } from './tile-store.js';
import { TreePublisher } from './tree-publisher.js';
import { sqliteTreeSource } from './tree-source.js';
import { parseWitnesses, WitnessClient } from './witness-client.js';

const ORIGIN = 'siegel.test/default';
const { privateKey: logKey } = generateKeyPairSync('ed25519');
const logVerifier = ed25519Verifier(ORIGIN, createPublicKey(logKey));
const logWitnessed = { name: ORIGIN, publicKey: createPublicKey(logKey) };
const { privateKey: witnessKey } = generateKeyPairSync('ed25519');

describe('a publisher with a witness', () => {
  let folder: string;
  let database: DatabaseSync;
  let store: WitnessStore;
  let witness: Witness;
  let server: WitnessServer | undefined;
  let port = 0;
  let problems: string[] = [];
  let count = 0;

  const listen = async () => {
    server = await WitnessServer.listen(witness, { host: '127.0.0.1', port, log: () => undefined });
    port = server.port;
  };
  const publisher = (): TreePublisher => {
    const address = { url: `http://127.0.0.1:${port}`, vkey: witness.verifierKey };
    const client = new WitnessClient(address, (message) => problems.push(message));
    return new TreePublisher(
      { id: 0, origin: ORIGIN, kid: 'k', name: 'default' },
      sqliteTreeSource(database, ORIGIN),
      logKey,
      new FileTileStorage(join(folder, 'default')),
      [client],
    );
  };
  const append = (entries: number): void => {
    const insert = database.prepare(
      'INSERT INTO entries (log_id, idx, batch_id, epoch_id, seq, entry) VALUES (1, ?, 1, 1, ?, CAST(? AS BLOB))',
    );
    for (let i = 0; i < entries; i++) insert.run(count, count, `entry ${count++}`);
  };
  const published = () => {
    const { name, publicKey } = parseVerifierKey(witness.verifierKey);
    const note = readFileSync(join(folder, 'default', CHECKPOINT), 'utf8');
    return { note, ...openCheckpoint(note, ORIGIN, logVerifier, [cosignatureVerifier(name, publicKey)]) };
  };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'siegel-publisher-'));
    database = openLogForWriting(join(folder, 'log.db'));
    database.exec(`INSERT INTO logs (id, origin) VALUES (1, '${ORIGIN}')`);
    store = WitnessStore.open(join(folder, 'witness.db'));
    witness = new Witness('w', witnessKey, [logWitnessed], store);
    await listen();
  });
  afterAll(async () => {
    await server?.close();
    store.close();
    database.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('publishes the checkpoint at once and again with the cosignature', async () => {
    const tree = publisher();
    append(300);
    await tree.publish();
    expect(published()).toMatchObject({ size: 300, witnesses: [] });
    expect(await tree.cosign()).toBe(true);
    expect(published()).toMatchObject({ size: 300, witnesses: ['w'] });
    expect(await tree.cosign()).toBe(false);
  });

  it('learns the size of the witness after a restart, and does not collect lines', async () => {
    const tree = publisher();
    expect(await tree.cosign()).toBe(true);
    expect(published().note.match(/^— w /gm)).toHaveLength(1);
    append(1);
    await tree.publish();
    expect(await tree.cosign()).toBe(true);
    expect(published()).toMatchObject({ size: 301, witnesses: ['w'] });
  });

  it('goes on without a witness that is out of reach, and asks it seldom', async () => {
    const tree = publisher();
    await server!.close();
    server = undefined;
    problems = [];
    for (let round = 0; round < 5; round++) {
      append(1);
      await tree.publish();
      expect(await tree.cosign()).toBe(false);
    }
    expect(published()).toMatchObject({ size: 306, witnesses: [] });
    expect(problems).toHaveLength(1);
    await listen();
  });

  it('says so if the witness has seen a larger tree than ours', async () => {
    store.record(ORIGIN, { size: 999, root: EMPTY_ROOT, note: '' });
    problems = [];
    expect(await publisher().cosign()).toBe(false);
    expect(problems).toEqual([expect.stringContaining('has cosigned a tree of 999, above our 306')]);
  });

  it('does not take a cosignature of another key', async () => {
    const other = WitnessStore.open(join(folder, 'other.db'));
    const impostor = new Witness('w', generateKeyPairSync('ed25519').privateKey, [logWitnessed], other);
    const false_ = await WitnessServer.listen(impostor, { host: '127.0.0.1', port: 0, log: () => undefined });
    problems = [];
    const client = new WitnessClient(
      { url: `http://127.0.0.1:${false_.port}`, vkey: witness.verifierKey },
      (message) => problems.push(message),
    );
    const { note } = published();
    const tree = new MemoryTree([leafHash(Buffer.from('x'))]);
    const checkpoint = { origin: ORIGIN, size: 306, root: published().root, extensions: [] };
    expect(await client.cosign(note, checkpoint, tree)).toBeUndefined();
    expect(problems).toHaveLength(1);
    await false_.close();
    other.close();
  });
});

describe('the list of witnesses', () => {
  const vkey = 'w+1f68bcd4+BKnnoJ7kTK9YHXHM6jRZ1ZcIKDHEuSSwbCODHbAHPYRA';
  it.each(['ftp://a b', 'http://a', `http://a ${vkey} x`, `http://a ${vkey}`])('refuses %s', (text) => {
    expect(() => parseWitnesses(text)).toThrow();
  });
  it('may be empty', () => expect(parseWitnesses(' ')).toEqual([]));
});
