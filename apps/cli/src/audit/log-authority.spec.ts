import { LogKeys } from '#auditor';
import { afterAll, describe, expect, it } from '@jest/globals';
import { LocalSigner, PublicKey, signLogDelegation } from '#pki';
import { formatVerifierKey } from '#transparency';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { recordingTerminal } from '../terminal/recording-terminal.js';
import { readAuthority, requireDelegation } from './log-authority.js';

const ORIGIN = 'siegel.local/log/default';
const NOW = new Date('2026-06-01T12:00:00Z');
const authority = LocalSigner.generate('ES256');
const log = LocalSigner.generate('EdDSA');
const trust = { origin: ORIGIN, keys: new LogKeys(ORIGIN, log.publicKey) };

const delegated = (
  over: { origin?: string; key?: LocalSigner; by?: LocalSigner; at?: Date } = {},
): Promise<string> => {
  const { origin = ORIGIN, key = log, by = authority, at = NOW } = over;
  const vkey = formatVerifierKey(origin, key.publicKey);
  const notAfter = new Date(at.getTime() + 86_400_000);
  return signLogDelegation({ origin, vkey, notBefore: at, notAfter }, by);
};
const published = (content: string | undefined) => ({
  read: (path: string) =>
    Promise.resolve(path === 'delegation' && content !== undefined ? Buffer.from(content) : undefined),
});
const listed = (...delegations: string[]) =>
  published(JSON.stringify({ delegations: delegations.map((delegation) => ({ delegation })) }));
const check = (files: ReturnType<typeof published>, by = authority): Promise<void> =>
  requireDelegation(files, trust, PublicKey.fromKeyObject(by.publicKey), NOW);
const refused = expect.objectContaining({ code: 'AUTHORITY_REFUSED' });

describe('requireDelegation', () => {
  it('accepts a log key that the pinned authority delegates to', async () => {
    await expect(check(listed(await delegated()))).resolves.toBeUndefined();
  });

  it('accepts one of several, as at a rotation of the authority', async () => {
    const next = LocalSigner.generate('ES256');
    await expect(check(listed(await delegated({ by: next }), await delegated()))).resolves.toBeUndefined();
  });

  it.each([
    ['of another authority', async () => listed(await delegated({ by: LocalSigner.generate('ES256') }))],
    ['to another key', async () => listed(await delegated({ key: LocalSigner.generate('EdDSA') }))],
    ['for another log', async () => listed(await delegated({ origin: `${ORIGIN}2` }))],
    ['that has ended', async () => listed(await delegated({ at: new Date(NOW.getTime() - 2 * 86_400_000) }))],
    ['that has not begun', async () => listed(await delegated({ at: new Date(NOW.getTime() + 86_400_000) }))],
    ['that is none', () => Promise.resolve(listed('a.b.c'))],
    ['that is not there', () => Promise.resolve(published(undefined))],
    ['in a list that is empty', () => Promise.resolve(listed())],
    ['in a list that is no JSON', () => Promise.resolve(published('{'))],
    ['in something else', () => Promise.resolve(published('{"delegations":[1]}'))],
  ])('refuses a delegation %s', async (_how, files) => {
    await expect(check(await files())).rejects.toEqual(refused);
  });
});

describe('readAuthority', () => {
  const folder = mkdtempSync(join(tmpdir(), 'siegel-authority-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const file = (content: string): string => {
    const path = join(folder, 'key');
    writeFileSync(path, content);
    return path;
  };

  it('reads PEM and JWK', async () => {
    const terminal = recordingTerminal();
    const pem = authority.publicKey.export({ type: 'spki', format: 'pem' }).toString();
    for (const content of [pem, JSON.stringify(authority.jwk())]) {
      expect((await readAuthority(file(content), terminal)).thumbprint).toBe(authority.kid);
    }
  });

  it.each(['', 'key', '{', '{"kty":"oct","k":"AAAA"}'])('refuses %p', async (content) => {
    await expect(readAuthority(file(content), recordingTerminal())).rejects.toEqual(
      expect.objectContaining({ code: 'KEYS_INVALID' }),
    );
  });
});
