import { MemoryAuthorityStore, MeshCa, PublicKey } from '#pki';
import type { ResourceGrant } from '#policy';
import { PEM, VaultRegistry, VaultsConfig } from '#vault';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readVaultObject } from './vault-object.js';

const folder = mkdtempSync(join(tmpdir(), 'siegel-resource-'));
const BYTES = randomBytes(48);
let vaults: VaultRegistry;

beforeAll(async () => {
  const config = VaultsConfig.parse({ demo: { kind: 'embedded', dir: 'vault' } });
  vaults = await VaultRegistry.open(config, { baseDir: folder });
  const write = (name: string, value: string, contentType?: string) =>
    vaults.writable('demo').setSecret(name, value, contentType === undefined ? {} : { contentType });
  await write('text', 'hello');
  await write('base64', `${BYTES.toString('base64')}\n`);
  await write('base64url', BYTES.toString('base64url'));
  await write('hex', BYTES.toString('hex').toUpperCase());
  await write('edge', await certificate(), PEM);
});
afterAll(async () => {
  await vaults.close();
  rmSync(folder, { recursive: true });
});

async function certificate(): Promise<string> {
  const ca = await MeshCa.open({
    store: new MemoryAuthorityStore(),
    trustDomain: 'test.local',
  });
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = PublicKey.fromKeyObject(publicKey);
  const leaf = await ca.issueLeaf({ spki, dns: ['edge.test'], ttlSeconds: 3_600, now: new Date() });
  return `${leaf.chainPem}${privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()}`;
}

const grant = (
  objectName: string,
  encoding: ResourceGrant['encoding'] = 'none',
  objectType: 'secret' | 'cert' = 'secret',
): ResourceGrant => ({
  secret: { vault: 'demo', objectName, objectType, objectAlias: objectName, as: 'env' },
  encoding,
});

describe('the object behind a resource', () => {
  it.each([
    ['text', 'none', Buffer.from('hello')],
    ['base64', 'base64', BYTES],
    ['base64url', 'base64', BYTES],
    ['hex', 'hex', BYTES],
  ] as const)('%s by %s', async (name, encoding, bytes) => {
    const read = await readVaultObject(vaults, grant(name, encoding));
    expect(read.bytes).toEqual(bytes);
    expect(read.version).toMatch(/^[0-9a-f]{32}$/);
    // The bytes are the reader's own: wiping them spoils nobody else's.
    read.bytes.fill(0);
    expect((await readVaultObject(vaults, grant(name, encoding))).bytes).toEqual(bytes);
  });

  it('is a certificate with its chain and key', async () => {
    const { bytes } = await readVaultObject(vaults, grant('edge', 'none', 'cert'));
    expect(bytes.toString()).toMatch(
      /^-----BEGIN CERTIFICATE-----[^]+-----BEGIN PRIVATE KEY-----[^]+-----END PRIVATE KEY-----\n$/,
    );
  });

  it.each<readonly [string, ResourceGrant, string, string]>([
    ['that is not there', grant('nothing'), 'SECRET_NOT_FOUND', 'SECRET_NOT_FOUND'],
    [
      'of a vault that is not there',
      { ...grant('text'), secret: { ...grant('text').secret, vault: 'none' } },
      'SECRET_NOT_FOUND',
      'VAULT_UNKNOWN',
    ],
    ['that is no hex', grant('text', 'hex'), 'SECRET_UNUSABLE', 'RESOURCE_ENCODING'],
    ['that is no base64', grant('text', 'base64'), 'SECRET_UNUSABLE', 'RESOURCE_ENCODING'],
    ['that is no certificate', grant('text', 'none', 'cert'), 'SECRET_UNUSABLE', 'SECRET_CONTENT_INVALID'],
  ])('%s is refused', async (_what, granted, code, reason) => {
    await expect(readVaultObject(vaults, granted)).rejects.toMatchObject({ code, reason: { code: reason } });
  });
});
