import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryAuthorityStore } from './authority-store.js';
import { fromPem } from './certificate-pem.js';
import { MeshCa } from './mesh-ca.js';
import type { IssuedLeaf, LeafRequest } from './mesh-ca.js';
import type { MeshCaOptions } from './mesh-ca-settings.js';
import { PublicKey } from './public-key.js';
import { LocalSigner } from './signer.js';
import type { Signer } from './signer.js';

const T0 = new Date('2026-11-23T12:00:00.700Z');
const DAY = 86_400;
const after = (seconds: number): Date => new Date(T0.getTime() + seconds * 1000);
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const spki = PublicKey.fromKeyObject(p256.publicKey);
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'siegel-pki-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const open = (options: Partial<MeshCaOptions> = {}): Promise<MeshCa> =>
  MeshCa.open({ dir: join(dir, 'ca'), trustDomain: 'shop.example', clock: () => T0, ...options });
const issue = (ca: MeshCa, change: Partial<LeafRequest> = {}): Promise<IssuedLeaf> =>
  ca.issueLeaf({ spki, dns: ['pay.shop.svc'], ttlSeconds: 3600, now: T0, ...change });
/** The DER of the intermediate that stands in the leaf's chain. */
const issuerOf = (leaf: IssuedLeaf): X509Certificate =>
  new X509Certificate(fromPem('CERTIFICATE', leaf.chainPem)?.[1] ?? '');

describe('MeshCa', () => {
  it('creates root and intermediate at first start, private to their owner, and keeps them', async () => {
    const ca = await open();
    const again = await open();
    expect(again.rootPem).toBe(ca.rootPem);
    expect(again.intermediatesPem(T0)).toEqual(ca.intermediatesPem(T0));
    expect((await stat(join(dir, 'ca'))).mode & 0o777).toBe(0o700);
    const files = await readdir(join(dir, 'ca'));
    expect(files).toHaveLength(2);
    for (const file of files) expect((await stat(join(dir, 'ca', file))).mode & 0o777).toBe(0o600);
    const root = new X509Certificate(ca.rootPem);
    expect([root.ca, root.subject]).toEqual([
      true,
      expect.stringMatching(/^O=shop\.example\nCN=Siegel mesh root [0-9a-f]{8}$/),
    ]);
    expect(root.verify(root.publicKey)).toBe(true);
    expect(new Date(root.validTo).getTime()).toBe(new Date('2036-11-22T12:00:00Z').getTime());
  });

  it('opened by several processes at once on an empty directory is one root', async () => {
    const all = await Promise.all(Array.from({ length: 6 }, () => open()));
    expect(new Set(all.map((ca) => ca.rootPem)).size).toBe(1);
    for (const ca of all)
      expect(issuerOf(await issue(ca)).checkIssued(new X509Certificate(ca.rootPem))).toBe(true);
  });

  it('issues what was asked for: names, key, times, serial', async () => {
    const ca = await open();
    const leaf = await issue(ca, { ips: ['10.0.0.1', '::1'], spiffeId: 'spiffe://shop.example/pay' });
    const certificate = new X509Certificate(leaf.certificatePem);
    expect(certificate.raw).toEqual(leaf.certificateDer);
    expect(certificate.subject).toBe('CN=pay.shop.svc');
    expect(certificate.subjectAltName).toBe(
      'DNS:pay.shop.svc, IP Address:10.0.0.1, IP Address:0:0:0:0:0:0:0:1, URI:spiffe://shop.example/pay',
    );
    expect(certificate.ca).toBe(false);
    expect(certificate.publicKey.equals(p256.publicKey)).toBe(true);
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
    expect(certificate.serialNumber.toLowerCase()).toBe(leaf.serial);
    expect(certificate.fingerprint256.replaceAll(':', '').toLowerCase()).toBe(leaf.sha256);
    expect(new Date(certificate.validFrom)).toEqual(new Date('2026-11-23T11:59:30Z'));
    expect(new Date(certificate.validTo)).toEqual(new Date('2026-11-23T13:00:00Z'));
    expect([leaf.notBefore, leaf.notAfter]).toEqual([
      new Date(certificate.validFrom),
      new Date(certificate.validTo),
    ]);
  });

  it('takes SPKI bytes as well, and gives serials that are positive, of 16 octets, and all different', async () => {
    const ca = await open();
    const serials = new Set<string>();
    for (let count = 0; count < 300; count += 1) {
      const { serial } = await issue(ca, { spki: spki.spki });
      expect(serial).toMatch(/^[4-7][0-9a-f]{31}$/);
      serials.add(serial);
    }
    expect(serials.size).toBe(300);
  });

  it('names the subject by the first fitting DNS name, or leaves it empty', async () => {
    const ca = await open();
    const subjectOf = async (change: Partial<LeafRequest>): Promise<string | undefined> =>
      new X509Certificate((await issue(ca, change)).certificatePem).subject;
    expect(await subjectOf({ dns: ['*.shop.svc', `${'a'.repeat(60)}.shop.svc`, 'b.svc'] })).toBe('CN=b.svc');
    expect(await subjectOf({ dns: ['*.shop.svc'] })).toBeFalsy();
    expect(await subjectOf({ commonName: 'payments ü' })).toBe('CN=payments ü');
    for (const commonName of ['', 'x'.repeat(65), 'a\u0000b', 'a\nb']) {
      await expect(issue(ca, { commonName })).rejects.toMatchObject({ code: 'NAME_INVALID' });
    }
  });

  it('refuses lifetimes out of bounds, keys that cannot sign, and bad names', async () => {
    const ca = await open({ maxLeafTtlSeconds: 7200 });
    for (const ttlSeconds of [0, 59, 7201, -1, NaN, Infinity]) {
      await expect(issue(ca, { ttlSeconds })).rejects.toMatchObject({ code: 'LEAF_TTL_OUT_OF_BOUNDS' });
    }
    const x25519 = PublicKey.fromKeyObject(generateKeyPairSync('x25519').publicKey);
    await expect(issue(ca, { spki: x25519 })).rejects.toMatchObject({ code: 'KEY_NOT_USABLE' });
    await expect(issue(ca, { spki: Buffer.from('nonsense') })).rejects.toMatchObject({
      code: 'KEY_MALFORMED',
    });
    await expect(issue(ca, { dns: ['A'] })).rejects.toMatchObject({ code: 'NAME_INVALID' });
    await expect(issue(ca, { spiffeId: 'spiffe://other/x' })).rejects.toMatchObject({
      code: 'SPIFFE_ID_INVALID',
    });
  });

  it('backdates by the configured seconds, and never before its issuer', async () => {
    const ca = await open({ backdateSeconds: 60, store: new MemoryAuthorityStore() });
    expect((await issue(ca)).notBefore).toEqual(new Date('2026-11-23T11:59:00Z'));
    const none = await open({ backdateSeconds: 0, store: new MemoryAuthorityStore() });
    expect((await issue(none)).notBefore).toEqual(new Date('2026-11-23T12:00:00Z'));
    for (const backdateSeconds of [61, -1, NaN]) {
      await expect(open({ backdateSeconds })).rejects.toMatchObject({ code: 'SETTING_INVALID' });
    }
  });
});

describe('rotation of the intermediate', () => {
  it('comes before a leaf could outlive it; the former chain stays valid', async () => {
    const ca = await open({ intermediateDays: 30, maxLeafTtlSeconds: DAY });
    const first = await issue(ca);
    // Two days before the end (a leaf's longest life and a day) the successor takes over.
    const still = await issue(ca, { now: after(28 * DAY - 10), ttlSeconds: DAY });
    expect(issuerOf(still).serialNumber).toBe(issuerOf(first).serialNumber);
    const next = await issue(ca, { now: after(28 * DAY + 10), ttlSeconds: DAY });
    expect(issuerOf(next).serialNumber).not.toBe(issuerOf(first).serialNumber);
    expect(next.notAfter.getTime()).toBeLessThan(new Date(issuerOf(next).validTo).getTime());
    expect(ca.intermediatesPem(after(28 * DAY + 20))).toHaveLength(2);
    expect(still.notAfter.getTime()).toBeLessThan(new Date(issuerOf(still).validTo).getTime());

    await ca.maintain(after(31 * DAY));
    expect(ca.intermediatesPem(after(31 * DAY))).toHaveLength(1);
    expect(await readdir(join(dir, 'ca'))).toHaveLength(2);
    const reopened = await open({
      clock: () => after(31 * DAY),
      intermediateDays: 30,
      maxLeafTtlSeconds: DAY,
    });
    expect(reopened.intermediatesPem(after(31 * DAY))).toEqual(ca.intermediatesPem(after(31 * DAY)));
  });

  it('is made once by many requests at the same time, and by hand', async () => {
    const ca = await open({ intermediateDays: 30, maxLeafTtlSeconds: DAY });
    const now = after(29 * DAY);
    const leaves = await Promise.all(Array.from({ length: 25 }, () => issue(ca, { now })));
    expect(new Set(leaves.map((leaf) => issuerOf(leaf).serialNumber)).size).toBe(1);
    expect(await readdir(join(dir, 'ca'))).toHaveLength(3);
    await ca.rotateIntermediate(now);
    expect(issuerOf(await issue(ca, { now })).serialNumber).not.toBe(
      issuerOf(leaves[0] as IssuedLeaf).serialNumber,
    );
  });

  it('clamps a leaf that would outlive an intermediate which ends with the root, then stops', async () => {
    const ca = await open({ rootDays: 10, intermediateDays: 10, maxLeafTtlSeconds: 2 * DAY });
    const rootEnd = new Date(new X509Certificate(ca.rootPem).validTo);
    const last = await issue(ca, { now: after(9.5 * DAY), ttlSeconds: 2 * DAY });
    expect(last.notAfter).toEqual(rootEnd);
    expect(ca.rootExpiresAt).toEqual(rootEnd);
    await expect(issue(ca, { now: after(10 * DAY) })).rejects.toMatchObject({ code: 'CA_EXPIRED' });
    await expect(open({ clock: () => after(10 * DAY) })).rejects.toMatchObject({ code: 'CA_EXPIRED' });
  });

  it('does not run away when the clock is set back', async () => {
    const ca = await open();
    await ca.rotateIntermediate(after(1000));
    for (let count = 0; count < 5; count += 1) await issue(ca, { now: after(10) });
    expect(await readdir(join(dir, 'ca'))).toHaveLength(3);
    await expect(issue(ca, { now: after(-1000) })).rejects.toMatchObject({ code: 'CA_EXPIRED' });
    expect(await readdir(join(dir, 'ca'))).toHaveLength(3);
    await expect(issue(ca, { now: new Date(NaN) })).rejects.toMatchObject({ code: 'CA_EXPIRED' });
  });
});

describe('a root whose key is elsewhere', () => {
  const remote = (signer: LocalSigner): Signer & { calls: number } => ({
    calls: 0,
    kid: signer.kid,
    alg: signer.alg,
    publicKey: signer.publicKey,
    jwk: () => signer.jwk(),
    sign(data) {
      this.calls += 1;
      return new Promise((done) => setImmediate(() => done(signer.sign(data))));
    },
  });

  it('signs root and intermediates, is not stored, and is not asked for leaves', async () => {
    const key = LocalSigner.generate();
    const rootSigner = remote(key);
    const ca = await open({ rootSigner });
    expect(rootSigner.calls).toBe(2);
    for (let count = 0; count < 5; count += 1) await issue(ca);
    expect(rootSigner.calls).toBe(2);
    expect(await readFile(join(dir, 'ca', 'root.pem'), 'utf8')).not.toContain('PRIVATE KEY');
    expect(new X509Certificate(ca.rootPem).publicKey.equals(key.publicKey)).toBe(true);
    expect((await open({ rootSigner: remote(key) })).rootPem).toBe(ca.rootPem);
    await expect(open({ rootSigner: remote(LocalSigner.generate()) })).rejects.toMatchObject({
      code: 'CA_STATE_INVALID',
    });
    await expect(open()).rejects.toMatchObject({ code: 'CA_STATE_INVALID' });
  });

  it('that is out of reach at rotation time does not stop issuance, and is not asked for every leaf', async () => {
    const rootSigner = remote(LocalSigner.generate());
    const ca = await open({ rootSigner, intermediateDays: 30, maxLeafTtlSeconds: DAY });
    const end = ca.issuerExpiresAt(T0)?.getTime() ?? 0;
    const working = rootSigner.sign;
    let refused = 0;
    rootSigner.sign = () => {
      refused += 1;
      return Promise.reject(new Error('throttled'));
    };
    const late = after(29.5 * DAY);
    for (let count = 0; count < 10; count += 1) {
      const leaf = await issue(ca, { now: late, ttlSeconds: DAY });
      expect(leaf.notAfter.getTime()).toBe(end);
    }
    expect(refused).toBe(1);
    await issue(ca, { now: after(29.5 * DAY + 61) });
    expect(refused).toBe(2);
    await expect(ca.maintain(late)).rejects.toMatchObject({ code: 'SIGNER_FAILED' });
    await expect(issue(ca, { now: after(30 * DAY) })).rejects.toMatchObject({ code: 'SIGNER_FAILED' });
    rootSigner.sign = working;
    expect((await issue(ca, { now: after(30 * DAY), ttlSeconds: DAY })).notAfter.getTime()).toBeGreaterThan(
      end,
    );
  });

  it('that fails or is no ES256 key is a typed error, and nothing is stored', async () => {
    const key = LocalSigner.generate();
    const failing: Signer = { ...remote(key), sign: () => Promise.reject(new Error('throttled')) };
    await expect(open({ rootSigner: failing })).rejects.toMatchObject({ code: 'SIGNER_FAILED' });
    await expect(open({ rootSigner: LocalSigner.generate('EdDSA') })).rejects.toMatchObject({
      code: 'KEY_NOT_USABLE',
    });
    expect(await readdir(join(dir, 'ca'))).toEqual([]);
  });
});

describe('stored state that is damaged', () => {
  const path = (name: string): string => join(dir, 'ca', name);
  const intermediateFile = async (): Promise<string> =>
    (await readdir(join(dir, 'ca'))).find((name) => name.startsWith('intermediate')) ?? '';

  it('or readable by others is refused, never replaced', async () => {
    await open();
    const good = await readFile(path('root.pem'), 'utf8');
    const otherKey: KeyObject = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const otherPem = otherKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const swappedKey = good.replace(/-----BEGIN PRIVATE KEY-----[^]*$/, otherPem);
    const cases: [string, string][] = [
      [swappedKey, 'CA_STATE_INVALID'],
      [good.replace(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----\n/, ''), 'CA_STATE_INVALID'],
      [good.replace(/\n.{8}/, '\nAAAAAAAA'), 'CA_STATE_INVALID'],
      [good.slice(0, -40), 'CA_STATE_INVALID'],
      [good.replace(/(PRIVATE KEY-----\n.{20}).{8}/, '$1AAAAAAAA'), 'KEY_FILE_INVALID'],
      ['', 'CA_STATE_INVALID'],
      [await readFile(path(await intermediateFile()), 'utf8'), 'CA_STATE_INVALID'],
    ];
    for (const [content, code] of cases) {
      await writeFile(path('root.pem'), content);
      await expect(open()).rejects.toMatchObject({ code });
      expect(await readFile(path('root.pem'), 'utf8')).toBe(content);
    }
    await writeFile(path('root.pem'), good);
    await chmod(path('root.pem'), 0o644);
    await expect(open()).rejects.toMatchObject({ code: 'KEY_FILE_PERMISSIONS' });
  });

  it('an intermediate of another root, or a root in its place, is refused', async () => {
    await open();
    const foreign = join(dir, 'foreign');
    await open({ dir: foreign });
    const name = (await readdir(foreign)).find((one) => one.startsWith('intermediate')) ?? '';
    await writeFile(path(name), await readFile(join(foreign, name)), { mode: 0o600 });
    await expect(open()).rejects.toMatchObject({ code: 'CA_STATE_INVALID' });
  });

  it('settings out of range are refused by name', async () => {
    const bad: Partial<MeshCaOptions>[] = [
      { trustDomain: 'Shop' },
      { trustDomain: '' },
      { rootDays: 0 },
      { intermediateDays: 4000 },
      { maxLeafTtlSeconds: 366 * DAY },
      { minLeafTtlSeconds: 0 },
      { rotateBeforeSeconds: 365 * DAY },
    ];
    for (const options of bad) await expect(open(options)).rejects.toMatchObject({ code: 'SETTING_INVALID' });
  });
});
