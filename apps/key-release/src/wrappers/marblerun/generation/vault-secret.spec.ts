import { BINARY, PEM, VaultRegistry, VaultsConfig } from '#vault';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SecretDefinition, SecretType } from '../interface.js';
import { createAuthority } from '../state/authority.js';
import { RsaKeyPool } from './rsa-key-pool.js';
import { SecretGenerator } from './secret-generator.js';
import { readVaultSecret } from './vault-secret.js';

const KEY = Buffer.from('000102030405060708090a0b0c0dff7f', 'hex');
const definition = (
  type: SecretType,
  size: number,
  objectName: string,
  vault = 'prod',
): SecretDefinition => ({
  type,
  size,
  shared: false,
  userDefined: false,
  cert: undefined,
  validFor: 0,
  source: { vault, objectName, objectVersion: undefined },
});

describe('secrets that come from a vault', () => {
  let folder: string;
  let vaults: VaultRegistry;
  const pem = (label: string, der: Buffer) =>
    `-----BEGIN ${label}-----\n${der.toString('base64').replace(/.{1,64}/g, '$&\n')}-----END ${label}-----\n`;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'siegel-vault-secret-'));
    const config = VaultsConfig.parse({ prod: { kind: 'embedded', dir: join(folder, 'prod') } });
    vaults = await VaultRegistry.open(config, { baseDir: folder });
    const vault = vaults.writable('prod');
    await vault.setSecret('raw', KEY, { contentType: BINARY });
    await vault.setSecret('hex', `${KEY.toString('hex').toUpperCase()}\n`);
    await vault.setSecret('base64', KEY.toString('base64'));
    await vault.setSecret('text', 'sixteen letters!');
    await vault.setSecret('disabled', 'x', { enabled: false });
    const { marbleRoot } = await createAuthority('P-256', ['localhost'], new Date());
    const pool = new RsaKeyPool({ ready: 0, parallel: 1, sizes: 0 });
    const generator = new SecretGenerator(pool);
    for (const [name, type, size] of [
      ['ec', 'cert-ecdsa', 384],
      ['ed', 'cert-ed25519', 0],
      ['rsa', 'cert-rsa', 2048],
    ] as const) {
      const made = await generator.shared(name, definition(type, size, name), marbleRoot);
      const content = pem('PRIVATE KEY', made.private) + pem('CERTIFICATE', made.certificate);
      await vault.setSecret(name, content, { contentType: PEM });
    }
  });
  afterAll(async () => {
    await vaults.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(['raw', 'hex', 'base64'])('a symmetric key may be there as %s', async (objectName) => {
    const { material, version } = await readVaultSecret(
      vaults,
      's',
      definition('symmetric-key', 128, objectName),
    );
    expect(material).toEqual({ private: KEY, public: KEY, certificate: Buffer.alloc(0) });
    expect(version).toMatch(/^[0-9a-f]{32}$/);
  });

  it('bytes of the right length are taken as they are; plain secrets always', async () => {
    const symmetric = await readVaultSecret(vaults, 's', definition('symmetric-key', 128, 'text'));
    const plain = await readVaultSecret(vaults, 's', definition('plain', 0, 'hex'));
    expect(symmetric.material.private.toString()).toBe('sixteen letters!');
    expect(plain.material.public.toString()).toBe(`${KEY.toString('hex').toUpperCase()}\n`);
  });

  it.each<[string, SecretType, number]>([
    ['ec', 'cert-ecdsa', 384],
    ['ed', 'cert-ed25519', 0],
    ['rsa', 'cert-rsa', 2048],
  ])('%s: a certificate comes with its key', async (name, type, size) => {
    const { material } = await readVaultSecret(vaults, 's', definition(type, size, name));
    const certificate = new X509Certificate(material.certificate);
    expect(
      certificate.checkPrivateKey(createPrivateKey({ key: material.private, format: 'der', type: 'pkcs8' })),
    ).toBe(true);
    expect(certificate.publicKey.export({ type: 'spki', format: 'der' })).toEqual(material.public);
  });

  it.each<[string, SecretType, number, string]>([
    ['a key of another size', 'symmetric-key', 256, 'hex'],
    ['a certificate on another curve', 'cert-ecdsa', 256, 'ec'],
    ['a certificate of another type', 'cert-ed25519', 0, 'rsa'],
    ['an RSA key of another size', 'cert-rsa', 4096, 'rsa'],
  ])('refuses %s, and says no value', async (_what, type, size, objectName) => {
    const error = (await readVaultSecret(vaults, 'name', definition(type, size, objectName)).catch(
      (failure: unknown) => failure,
    )) as Error;
    expect(error).toMatchObject({ name: 'CoordinatorError', code: 'SECRET_UNUSABLE' });
    expect(error.message).toMatch(/^secret name cannot be taken from its vault/);
    expect(error.message).not.toContain(KEY.toString('hex').slice(0, 8));
  });

  it.each([
    ['SECRET_NOT_FOUND', 'nowhere', 'prod'],
    ['SECRET_NOT_FOUND', 'hex', 'no-vault'],
    ['SECRET_UNUSABLE', 'disabled', 'prod'],
    ['SECRET_UNUSABLE', 'text', 'prod'],
  ])('%s is told for %s of %s', async (code, objectName, vault) => {
    const type = objectName === 'text' ? 'cert-rsa' : 'plain';
    await expect(
      readVaultSecret(vaults, 's', definition(type, 2048, objectName, vault)),
    ).rejects.toMatchObject({ code });
  });
});
