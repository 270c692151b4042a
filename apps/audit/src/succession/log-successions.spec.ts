import { ed25519Verifier, openSuccession } from '#transparency';
import { afterEach, describe, expect, it } from '@jest/globals';
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LogSuccessions } from './log-successions.js';

const folders: string[] = [];
afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true })));
const temporary = () => {
  const folder = mkdtempSync(join(tmpdir(), 'siegel-succession-'));
  folders.push(folder);
  return folder;
};
const key = (): KeyObject => generateKeyPairSync('ed25519').privateKey;
const ORIGINS = ['log.test/a', 'log.test/b'];

describe('the successions of the log key', () => {
  it('are signed once for each log, by the key before, and kept', () => {
    const [folder, old, next] = [temporary(), key(), key()];
    const made = LogSuccessions.open(folder, ORIGINS, next, old, 1_000);
    const again = LogSuccessions.open(folder, ORIGINS, next, old, 2_000);
    for (const origin of ORIGINS) {
      expect(again.of(origin)).toEqual(made.of(origin));
      const verifier = ed25519Verifier(origin, createPublicKey(old));
      const opened = openSuccession(made.of(origin)[0]!, origin, verifier);
      expect(opened.publicKey.equals(createPublicKey(next))).toBe(true);
    }
    const after = LogSuccessions.open(folder, ORIGINS, next, undefined, 3_000);
    expect(after.of(ORIGINS[0]!)).toHaveLength(1);
    const third = key();
    expect(LogSuccessions.open(folder, ORIGINS, third, next, 4_000).of(ORIGINS[1]!)).toHaveLength(2);
  });

  it('are none where the key never changed', () => {
    expect(LogSuccessions.open(temporary(), ORIGINS, key(), undefined, 1_000).of(ORIGINS[0]!)).toEqual([]);
  });

  it('never name two successors of one key', () => {
    const [folder, old] = [temporary(), key()];
    LogSuccessions.open(folder, ORIGINS, key(), old, 1_000);
    expect(() => LogSuccessions.open(folder, ORIGINS, key(), old, 2_000)).toThrow(
      /SIEGEL_AUDIT_LOG_PREVIOUS_KEY_FILE: holds a key that another key .* succeeds already/,
    );
  });

  it.each(['{', '[]', '{"log.test/a":["no note"]}'])('are not guessed from a damaged file: %s', (content) => {
    const folder = temporary();
    writeFileSync(join(folder, 'log-successions.json'), content);
    expect(() => LogSuccessions.open(folder, ORIGINS, key(), key(), 1_000)).toThrow(/damaged/);
  });
});
