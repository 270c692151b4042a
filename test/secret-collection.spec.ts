import 'reflect-metadata';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { SecretGrant } from '#policy';
import { VAULT_ERRORS, VaultRegistry, VaultsConfig, type VaultErrorCode } from '#vault';
import { SecretCollector } from '../apps/key-release/src/pipeline/secret-collection.js';
import { VAULT_ANSWERS } from '../apps/key-release/src/pipeline/vault-refusals.js';
import { AzureWorld } from './azure-deployment.js';
import { makeTestAuthority } from './fake-azure/test-authority.js';

let azure: AzureWorld;
let registry: VaultRegistry;
let collector: SecretCollector;
let pem: string;

beforeAll(async () => {
  Logger.overrideLogger(false);
  azure = await AzureWorld.start({ vaults: ['prod'] });
  const { keyPem, chainPem } = await makeTestAuthority();
  pem = `${keyPem}${chainPem}`;
  // Cached for a minute, as by default.
  const config = VaultsConfig.parse({ prod: azure.files.vaultSettings('prod') });
  registry = await VaultRegistry.open(config, { baseDir: join(azure.dir) });
  collector = new SecretCollector(registry);
});
afterAll(async () => {
  await registry.close();
  await azure.stop();
  rmSync(azure.dir, { recursive: true, force: true });
});

const stored = async (name: string): Promise<string> => {
  const { properties } = await azure.sdk.secrets.setSecret(name, pem, {
    contentType: 'application/x-pem-file',
  });
  return properties.version!;
};
const grant = (
  objectName: string,
  objectType: 'secret' | 'cert',
  more: Partial<SecretGrant> = {},
): SecretGrant => ({
  vault: 'prod',
  objectName,
  objectType,
  objectAlias: `${objectName}-${objectType}`,
  as: 'file',
  path: `/run/${objectName}.${objectType}`,
  mode: '0400',
  ...more,
});
const versions = async (...grants: SecretGrant[]) =>
  (await collector.collect(grants)).records.map(({ version }) => version);

describe('what a release takes from one object is of one version', () => {
  it('also where one kind of it was cached before a renewal, and the other was not', async () => {
    const old = await stored('pair');
    expect(await versions(grant('pair', 'cert'))).toEqual([old]);
    await stored('pair');
    expect(await versions(grant('pair', 'cert'), grant('pair', 'secret'))).toEqual([old, old]);
  });

  it('the newest version decides where the vault no longer gives the cached one', async () => {
    const old = await stored('taken-back');
    expect(await versions(grant('taken-back', 'cert'))).toEqual([old]);
    const renewed = await stored('taken-back');
    await azure.sdk.secrets.updateSecretProperties('taken-back', old, { enabled: false });
    expect(await versions(grant('taken-back', 'cert'), grant('taken-back', 'secret'))).toEqual([
      renewed,
      renewed,
    ]);
  });

  it('a pinned version stays what it is, beside the latest of the same object', async () => {
    const old = await stored('both');
    const latest = await stored('both');
    const pinned = grant('both', 'secret', { objectVersion: old, path: '/run/old' });
    expect(await versions(pinned, grant('both', 'secret'))).toEqual([old, latest]);
  });

  it('names differ in case alone: one object', async () => {
    const version = await stored('Cased');
    expect(await versions(grant('cased', 'cert'), grant('CASED', 'secret'))).toEqual([version, version]);
  });

  it('what is delivered keeps the order of the manifest', async () => {
    await Promise.all([stored('one'), stored('two')]);
    const grants = [grant('two', 'cert'), grant('one', 'secret'), grant('two', 'secret')];
    const { files, records } = await collector.collect(grants);
    expect(files.map(({ path }) => path)).toEqual(grants.map(({ path }) => path));
    expect(records.map(({ alias }) => alias)).toEqual(grants.map(({ objectAlias }) => objectAlias));
  });
});

it('every code of a vault has an answer; outages are no denials, and what is wrong with the service no fault of the caller', () => {
  expect(Object.keys(VAULT_ANSWERS).sort()).toEqual(Object.keys(VAULT_ERRORS).sort());
  for (const [code, { outage }] of Object.entries(VAULT_ERRORS) as [VaultErrorCode, { outage: boolean }][]) {
    const answer = VAULT_ANSWERS[code];
    if (outage) expect(['VAULT_UNAVAILABLE', 'VAULT_THROTTLED']).toContain(answer);
    expect(answer.startsWith('SECRET_')).toBe(
      /^(SECRET|KEY|CERTIFICATE)_/.test(code) || code === 'VAULT_UNKNOWN',
    );
  }
});
