import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createPublicKey, verify, X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CertifiedKeys,
  fromPem,
  PublicKey,
  RotatingMeshCa,
  type ScheduledSigner,
  signJwt,
  SigningKeys,
  verifyJwt,
  LocalSigner,
} from '#pki';
import { readSignersFile, VaultError, VaultKeyConfig, VaultSigningKey } from '#vault';
import { AzureWorld } from './azure-deployment.js';
import { eventually } from './harness/index.js';
import { DEFAULT_PRINCIPAL } from './fake-azure/index.js';

jest.setTimeout(60_000);

/** The role "Key Vault Crypto User", without what signing does not need. */
const SIGNING = {
  clientId: 'a7c1f1d2-3c1b-4d57-8a53-0d3c5a6e0012',
  federatedSubject: DEFAULT_PRINCIPAL.federatedSubject!,
  permissions: ['keys/get', 'keys/list', 'keys/sign'],
};
const READING = {
  ...SIGNING,
  clientId: 'a7c1f1d2-3c1b-4d57-8a53-0d3c5a6e0013',
  permissions: ['keys/get', 'keys/list'],
};
const DATA = Buffer.from('to be signed');

let azure: AzureWorld;
const open: VaultSigningKey[] = [];

beforeAll(async () => {
  azure = await AzureWorld.start({ vaults: ['prod'], principals: [DEFAULT_PRINCIPAL, SIGNING, READING] });
});
afterAll(() => azure.stop());
afterEach(() => {
  for (const key of open.splice(0)) key.close();
  azure.fake.faults.clear();
  azure.fake.log.clear();
});

const config = (keyName: string, more: object = {}, clientId = SIGNING.clientId) => {
  const {
    kind: _,
    reader: __,
    ...vault
  } = azure.files.vaultSettings('prod', { clientId }) as Record<string, unknown>;
  return VaultKeyConfig.parse({ vault, keyName, ...more });
};
async function signingKey(keyName: string, more: object = {}, clientId?: string): Promise<VaultSigningKey> {
  const key = await VaultSigningKey.open(config(keyName, more, clientId), { baseDir: azure.dir });
  open.push(key);
  return key;
}
const createKey = (name: string) => azure.sdk.keys.createEcKey(name, { curve: 'P-256', hsm: true });
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof VaultError ? error.code : String(error)),
  );

describe('a key of a vault as a signer', () => {
  beforeAll(async () => {
    await createKey('signer');
    azure.fake.log.clear();
  });

  it('signs in the vault, under the thumbprint of its public key; nothing but a digest goes there', async () => {
    const key = await signingKey('signer');
    const signer = key.current();
    const signature = await signer.sign(DATA);
    const publicKey = createPublicKey({ key: signer.jwk() as never, format: 'jwk' });
    expect(verify('sha256', DATA, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true);
    expect(signer.kid).toBe(PublicKey.fromKeyObject(publicKey).thumbprint);
    expect(azure.fake.log.of('keys/sign')).toHaveLength(1);
    expect(signer.lastRequestId).toBe(azure.fake.log.of('keys/sign')[0]!.requestId);
    const actions = new Set(azure.fake.log.all().map(({ action }) => action));
    expect([...actions].sort()).toEqual(['keys/get', 'keys/list', 'keys/sign', 'metadata', 'token']);
  });

  it('backs off when the vault throttles and signs all the same', async () => {
    const signer = (await signingKey('signer')).current();
    azure.fake.faults.add({
      action: 'keys/sign',
      effect: { kind: 'throttle' },
      times: 1,
    });
    expect(await signer.sign(DATA)).toHaveLength(64);
    expect(azure.fake.log.of('keys/sign').map(({ status }) => status)).toEqual([429, 200]);
  });

  it('keeps its budget: signatures beyond it wait, and fail when the wait is too long', async () => {
    const { vault } = config('signer');
    const signer = (
      await signingKey('signer', { operationsPer10Seconds: 4, vault: { ...vault, timeoutSeconds: 1 } })
    ).current();
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => codeOf(signer.sign(DATA))));
    expect(outcomes).toContain('VAULT_BUDGET_EXHAUSTED');
    expect(azure.fake.log.of('keys/sign').length).toBeLessThanOrEqual(2);
  });

  it('names what is wrong: no such key, wrong kind, no permission, disabled', async () => {
    await azure.sdk.keys.createRsaKey('rsa');
    await azure.sdk.keys.createEcKey('p384', { curve: 'P-384' });
    expect(await codeOf(signingKey('absent'))).toBe('KEY_NOT_FOUND');
    expect(await codeOf(signingKey('rsa'))).toBe('KEY_OPERATION_REFUSED');
    expect(await codeOf(signingKey('p384'))).toBe('KEY_OPERATION_REFUSED');
    expect(await codeOf((await signingKey('signer', {}, READING.clientId)).current().sign(DATA))).toBe(
      'VAULT_FORBIDDEN',
    );
    const { properties } = await createKey('disabled-key');
    const disabled = await signingKey('disabled-key');
    await azure.sdk.keys.updateKeyProperties('disabled-key', properties.version!, { enabled: false });
    expect(await codeOf(disabled.current().sign(DATA))).toBe('SECRET_DISABLED');
    await disabled.refresh();
    expect(() => disabled.current()).toThrow(VaultError);
    expect(await codeOf(signingKey('disabled-key'))).toBe('KEY_NOT_FOUND');
  });

  it('finds a new version by looking, keeps the old one beside it, and forgets one that is disabled', async () => {
    const first = await createKey('rotated');
    const key = await signingKey('rotated');
    expect(await key.refresh()).toBe(false);
    await createKey('rotated');
    expect(await key.refresh()).toBe(true);
    expect(key.versions).toHaveLength(2);
    expect(key.current().version).not.toBe(first.properties.version);
    await azure.sdk.keys.updateKeyProperties('rotated', first.properties.version!, { enabled: false });
    expect(await key.refresh()).toBe(true);
    expect(key.versions).toHaveLength(1);
    const pinned = await signingKey('rotated', { keyVersion: key.current().version });
    await createKey('rotated');
    expect(await pinned.refresh()).toBe(false);
  });

  it('looks by itself', async () => {
    await createKey('watched');
    const key = await signingKey('watched', { pollSeconds: 1 });
    const seen = new Promise<void>((resolve, reject) =>
      key.watch((changed) => (changed ? resolve() : undefined), reject),
    );
    await createKey('watched');
    await seen;
    expect(key.versions).toHaveLength(2);
  });

  it('starts without the vault from the public halves that it remembers, and never from those of another key', async () => {
    await createKey('remembered');
    const { vault } = config('remembered');
    const cacheFile = join(azure.dir, 'remembered.json');
    const start = async (name: string): Promise<VaultSigningKey> => {
      const key = await VaultSigningKey.open(config(name, { vault: { ...vault, timeoutSeconds: 0.5 } }), {
        baseDir: azure.dir,
        cacheFile,
      });
      open.push(key);
      return key;
    };
    const before = (await start('remembered')).current();
    azure.fake.faults.add({ vault: 'prod', effect: { kind: 'status', status: 503 } });
    const key = await start('remembered');
    expect(key.current().kid).toBe(before.kid);
    expect(await codeOf(key.current().sign(DATA))).toMatch(/^VAULT_(UNAVAILABLE|CIRCUIT_OPEN)$/);
    expect(await codeOf(start('signer'))).toBe('VAULT_UNAVAILABLE');
    azure.fake.faults.clear();
    // The reader's breaker lets a request through after two seconds.
    await eventually('a signature', async () => (await key.current().sign(DATA)).length === 64);
    // What the vault refuses is no outage.
    azure.fake.faults.add({ vault: 'prod', effect: { kind: 'rbac' } });
    expect(await codeOf(start('remembered'))).toBe('VAULT_FORBIDDEN');
    azure.fake.faults.clear();
    for (const spoilt of [
      '',
      '{}',
      readFileSync(cacheFile, 'utf8').replace('"versions":[', '"versions":[{},'),
    ]) {
      writeFileSync(cacheFile, spoilt);
      azure.fake.faults.add({ vault: 'prod', effect: { kind: 'status', status: 503 } });
      expect(await codeOf(start('remembered'))).toBe('VAULT_UNAVAILABLE');
      azure.fake.faults.clear();
    }
  });

  it('refuses a configuration in which one key is both roots, and says what else is wrong', () => {
    const refusal = (content: unknown): string => {
      try {
        readSignersFile(azure.write('signers.json', content));
        return 'accepted';
      } catch (error) {
        return (error as VaultError).message;
      }
    };
    const [mesh, tokens] = [config('one'), config('ONE')];
    expect(refusal({ meshCaRoot: mesh, tokens })).toMatch(/different keys/);
    expect(refusal({ meshCaRoot: mesh, tokens: config('two') })).toBe('accepted');
    expect(refusal({ meshCaRoot: { ...mesh, keyName: 'no_name' } })).toMatch(/^meshCaRoot\.keyName: /);
    expect(refusal({ manifest: mesh })).toMatch(/manifest/);
    expect(refusal('{')).toMatch(/JSON/);
  });
});

describe('what is signed under it, while one version follows another', () => {
  const at = (ms: number): Date => new Date(ms);
  const roots = (key: VaultSigningKey, times: readonly number[]): ScheduledSigner[] =>
    key.versions.map(({ signer }, index) => ({ signer, signsFrom: at(times[index]!) }));
  const leafRequest = (now: Date) => ({
    spki: PublicKey.fromKeyObject(LocalSigner.generate('ES256').publicKey),
    dns: ['one.test.svc'],
    ttlSeconds: 600,
    now,
  });

  it('mesh root: the next one is published before it issues, the former stays trusted', async () => {
    await createKey('mesh');
    const key = await signingKey('mesh');
    let now = Date.now();
    const dir = join(azure.dir, 'mesh');
    const options = { dir, trustDomain: 'test.local', intermediateDays: 1, clock: () => at(now) };
    const ca = await RotatingMeshCa.open({ ...options, roots: roots(key, [0]) });
    const old = await ca.issueLeaf(leafRequest(at(now)));
    for (let i = 0; i < 20; i++) await ca.issueLeaf(leafRequest(at(now)));
    // A root certificate and an intermediate: leaves cost the vault nothing.
    expect(azure.fake.log.of('keys/sign')).toHaveLength(2);

    await createKey('mesh');
    await key.refresh();
    const switchAt = now + 60_000;
    await ca.update(roots(key, [0, switchAt]));
    const [first, second] = fromPem('CERTIFICATE', ca.rootPem)!.map((der) => new X509Certificate(der)) as [
      X509Certificate,
      X509Certificate,
    ];
    expect(issuedUnder(old.chainPem, first)).toBe(true);
    expect(issuedUnder((await ca.issueLeaf(leafRequest(at(now)))).chainPem, first)).toBe(true);
    now = switchAt;
    const fresh = await ca.issueLeaf(leafRequest(at(now)));
    expect(issuedUnder(fresh.chainPem, second)).toBe(true);
    expect(issuedUnder(fresh.chainPem, first)).toBe(false);
    expect(fromPem('CERTIFICATE', ca.rootPem)).toHaveLength(2);
    expect(new X509Certificate(ca.rootPem).fingerprint256).toBe(second.fingerprint256);

    // A restart with a vault that is out of reach but for the versions: the state folder has what is needed.
    azure.fake.log.clear();
    const again = await RotatingMeshCa.open({ ...options, roots: roots(key, [0, switchAt]) });
    expect(issuedUnder((await again.issueLeaf(leafRequest(at(now)))).chainPem, second)).toBe(true);
    expect(azure.fake.log.of('keys/sign')).toHaveLength(0);
    await expect(ca.update([])).rejects.toMatchObject({ code: 'SIGNING_KEY_MISSING' });
  });

  it('token keys: certified for a day by the vault key, replaced with overlap, and when the vault key is', async () => {
    await createKey('tokens');
    const key = await signingKey('tokens');
    const start = Date.now();
    const settings = {
      dir: join(azure.dir, 'tokens'),
      keySeconds: 86_400,
      publishAheadSeconds: 600,
      certifier: () => key.current(),
    };
    const certified = await CertifiedKeys.open({ ...settings, now: at(start) });
    const first = certified.keys.current(at(start));
    const early = await token(certified.keys, at(start));
    for (let i = 0; i < 50; i++) await token(certified.keys, at(start));
    expect(azure.fake.log.of('keys/sign')).toHaveLength(2);
    expect(chainHolds(certified.keys, certified.rootsPem(), at(start))).toBe(true);

    // Near the end of the day the next key appears, is published, and signs when its time has come.
    const evening = start + 86_400_000 - 300_000;
    await certified.maintain(at(evening));
    expect(certified.keys.jwks(at(evening)).keys).toHaveLength(2);
    expect(certified.keys.current(at(evening)).kid).toBe(first.kid);
    const night = evening + 601_000;
    expect(certified.keys.current(at(night)).kid).not.toBe(first.kid);
    expect(await holds(certified.keys, early, at(start + 60_000))).toBe(true);

    // A new version of the vault key: the next local key is certified by it; both chains hold meanwhile.
    await createKey('tokens');
    await key.refresh();
    await certified.maintain(at(night));
    expect(fromPem('CERTIFICATE', certified.rootsPem())).toHaveLength(2);
    expect(chainHolds(certified.keys, certified.rootsPem(), at(night))).toBe(true);
    const before = certified.keys.current(at(night));
    const later = night + 700_000;
    expect(certified.keys.current(at(later)).kid).not.toBe(before.kid);
    const replica = await CertifiedKeys.open({ ...settings, now: at(later) });
    expect(replica.keys.current(at(later)).kid).toBe(certified.keys.current(at(later)).kid);
    const others = await token(certified.keys, at(later));
    expect(await holds(replica.keys, others, at(later))).toBe(true);

    // With the vault out of reach what there is goes on; long after, it ends.
    azure.fake.faults.add({
      action: 'keys/sign',
      effect: { kind: 'status', status: 500 },
    });
    const outage = later + 86_400_000;
    await expect(certified.maintain(at(outage))).rejects.toMatchObject({ code: 'SIGNER_FAILED' });
    expect(await holds(certified.keys, await token(certified.keys, at(outage)), at(outage))).toBe(true);
    await expect(certified.maintain(at(outage + 3 * 86_400_000))).rejects.toMatchObject({
      code: 'SIGNER_FAILED',
    });
    expect(() => certified.keys.current(at(outage + 3 * 86_400_000))).toThrow();
  });

  it('tokens directly: each version verifies what it signed while its successor signs', async () => {
    await createKey('direct');
    const key = await signingKey('direct');
    const now = Date.now();
    const keys = SigningKeys.of(roots(key, [0]));
    const early = await token(keys, at(now));
    await createKey('direct');
    await key.refresh();
    keys.replace(roots(key, [0, now + 10_000]));
    const late = await token(keys, at(now + 10_000));
    expect(await holds(keys, early, at(now + 11_000))).toBe(true);
    expect(await holds(keys, late, at(now + 11_000))).toBe(true);
    expect(late.split('.')[0]).not.toBe(early.split('.')[0]);
    expect(keys.jwks(at(now + 11_000)).keys).toHaveLength(2);
    // An hour after the change the former version is over.
    expect(keys.jwks(at(now + 3_700_000)).keys).toHaveLength(1);
  });
});

const ISSUER = 'https://siegel.test';
const token = (keys: SigningKeys, now: Date): Promise<string> => {
  const iat = Math.floor(now.getTime() / 1_000);
  return signJwt({ iss: ISSUER, aud: 'a', iat, exp: iat + 900 }, keys.current(now), { typ: 'test+jwt' });
};
const holds = (keys: SigningKeys, jwt: string, now: Date): Promise<boolean> =>
  verifyJwt(jwt, {
    keys: (kid) => keys.verificationKey(kid, now),
    typ: 'test+jwt',
    issuer: ISSUER,
    audience: 'a',
    now,
  }).then(
    () => true,
    () => false,
  );

/** Whether leaf and intermediate of a chain end in this root. */
function issuedUnder(chainPem: string, root: X509Certificate): boolean {
  const [leaf, intermediate] = fromPem('CERTIFICATE', chainPem)!.map((der) => new X509Certificate(der)) as [
    X509Certificate,
    X509Certificate,
  ];
  return (
    leaf.verify(intermediate.publicKey) &&
    intermediate.checkIssued(root) &&
    intermediate.verify(root.publicKey)
  );
}

/** Whether each published token key has a chain to one of the roots, as a relying party checks it. */
function chainHolds(keys: SigningKeys, rootsPem: string, now: Date): boolean {
  const roots = fromPem('CERTIFICATE', rootsPem)!.map((der) => new X509Certificate(der));
  return keys.jwks(now).keys.every((jwk) => {
    const [leaf, root] = jwk.x5c!.map((der) => new X509Certificate(Buffer.from(der, 'base64'))) as [
      X509Certificate,
      X509Certificate,
    ];
    const published = createPublicKey({ key: jwk as never, format: 'jwk' });
    const pinned = roots.find(({ fingerprint256 }) => fingerprint256 === root.fingerprint256);
    return (
      pinned !== undefined &&
      leaf.publicKey.equals(published) &&
      !leaf.ca &&
      leaf.checkIssued(pinned) &&
      leaf.verify(pinned.publicKey) &&
      new Date(leaf.validTo) > now
    );
  });
}
