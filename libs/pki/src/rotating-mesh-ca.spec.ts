import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromPem } from './certificate-pem.js';
import { MeshCa } from './mesh-ca.js';
import { PublicKey } from './public-key.js';
import { RotatingMeshCa } from './rotating-mesh-ca.js';
import { LocalSigner } from './signer.js';
import type { Signer } from './signer.js';

const START = Date.parse('2026-11-23T12:00:00Z');
const HOUR = 3_600_000;

let dir: string;
let now: Date;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'siegel-mesh-'));
  now = new Date(START);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const [first, second] = [LocalSigner.generate('ES256'), LocalSigner.generate('ES256')] as [
  LocalSigner,
  LocalSigner,
];
const scheduled = (signer: Signer, hours: number) => ({ signer, signsFrom: new Date(START + hours * HOUR) });
const settings = { trustDomain: 'test.local', intermediateDays: 1, clock: () => now };
const open = (...roots: ReturnType<typeof scheduled>[]): Promise<RotatingMeshCa> =>
  RotatingMeshCa.open({ ...settings, dir, roots });
const later = (hours: number): void => {
  now = new Date(START + hours * HOUR);
};
const spki = PublicKey.fromKeyObject(LocalSigner.generate('ES256').publicKey);
/** Thumbprint of the root under which a leaf is issued now. */
async function issuer(ca: RotatingMeshCa): Promise<string> {
  const { chainPem } = await ca.issueLeaf({ spki, dns: ['a.test'], ttlSeconds: 600, now });
  const intermediate = new X509Certificate(fromPem('CERTIFICATE', chainPem)![1]!);
  const found = [first, second].find(({ publicKey }) => intermediate.verify(publicKey));
  return found?.kid ?? 'none';
}
const published = (pem: string): string[] =>
  fromPem('CERTIFICATE', pem)!.map(
    (der) => PublicKey.fromKeyObject(new X509Certificate(der).publicKey).thumbprint,
  );

describe('RotatingMeshCa', () => {
  it('issues under the root whose time has come, and publishes all, the issuing one first', async () => {
    const ca = await open(scheduled(first, -1), scheduled(second, 2));
    expect(await issuer(ca)).toBe(first.kid);
    expect(published(ca.rootPem)).toEqual([first.kid, second.kid]);
    later(2);
    expect(await issuer(ca)).toBe(second.kid);
    expect(ca.issuingKid).toBe(second.kid);
    expect(published(ca.rootPem)).toEqual([second.kid, first.kid]);
  });

  it('issues under the first root also before its time, because there is no other', async () => {
    expect(await issuer(await open(scheduled(first, 5)))).toBe(first.kid);
  });

  it('replicas on one folder have the same roots, and each restart too', async () => {
    const one = await open(scheduled(first, -1));
    const other = await open(scheduled(first, -1));
    expect(other.rootPem).toBe(one.rootPem);
    expect((await open(scheduled(first, -1))).rootPem).toBe(one.rootPem);
    expect(readFileSync(join(dir, 'bundle.pem'), 'utf8')).toBe(one.rootPem);
  });

  it('takes up a root that comes and drops one that goes', async () => {
    const ca = await open(scheduled(first, -1));
    await ca.update([scheduled(first, -1), scheduled(second, 1)]);
    expect(published(readFileSync(join(dir, 'bundle.pem'), 'utf8'))).toEqual([first.kid, second.kid]);
    await ca.update([scheduled(second, 1)]);
    expect(published(ca.rootPem)).toEqual([second.kid]);
    expect(await issuer(ca)).toBe(second.kid);
    await expect(ca.update([])).rejects.toMatchObject({ code: 'SIGNING_KEY_MISSING' });
    expect(await issuer(ca)).toBe(second.kid);
  });

  it('keeps a local root of before in the bundle; it issues no more', async () => {
    const local = await MeshCa.open({ ...settings, dir });
    const ca = await open(scheduled(first, -1));
    expect(fromPem('CERTIFICATE', ca.rootPem)).toHaveLength(2);
    expect(ca.rootPem.endsWith(local.rootPem)).toBe(true);
    expect(await issuer(ca)).toBe(first.kid);
  });

  it('issues while the vault is out of reach, as long as an intermediate holds', async () => {
    let reachable = true;
    const remote: Signer = {
      kid: first.kid,
      alg: 'ES256',
      publicKey: first.publicKey,
      jwk: () => first.jwk(),
      sign: (data) => (reachable ? first.sign(data) : Promise.reject(new Error('unreachable'))),
    };
    const ca = await open(scheduled(remote, -1));
    reachable = false;
    later(20);
    expect(await issuer(ca)).toBe(first.kid);
    await expect(ca.update([scheduled(remote, -1)])).rejects.toMatchObject({ code: 'SIGNER_FAILED' });
    expect(await issuer(await open(scheduled(remote, -1)))).toBe(first.kid);
    later(25);
    await expect(open(scheduled(remote, -1))).rejects.toMatchObject({ code: 'SIGNER_FAILED' });
    await expect(issuer(ca)).rejects.toMatchObject({ code: 'SIGNER_FAILED' });
    reachable = true;
    expect(await issuer(ca)).toBe(first.kid);
  });

  it('bounds leaves by the life of its intermediates', async () => {
    const ca = await open(scheduled(first, -1));
    expect(ca.maxLeafTtlSeconds).toBe(43_200);
    const tooLong = ca.issueLeaf({ spki, dns: ['a.test'], ttlSeconds: 43_201, now });
    await expect(tooLong).rejects.toMatchObject({ code: 'LEAF_TTL_OUT_OF_BOUNDS' });
  });
});
