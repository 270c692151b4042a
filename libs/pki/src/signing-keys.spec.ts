import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verify } from 'node:crypto';
import { calculateJwkThumbprint, importJWK, jwtVerify } from 'jose';
import { signJwt, verifyJwt } from './jwt.js';
import { LocalSigner } from './signer.js';
import { SigningKeys } from './signing-keys.js';

const T0 = new Date('2026-11-23T12:00:00Z');
const after = (seconds: number): Date => new Date(T0.getTime() + seconds * 1000);
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'siegel-pki-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe('LocalSigner', () => {
  it.each(['ES256', 'EdDSA'] as const)(
    '%s signs 64 raw octets that OpenSSL verifies; kid is the thumbprint',
    async (alg) => {
      const signer = LocalSigner.generate(alg);
      const data = Buffer.from('data');
      const signature = signer.sign(data);
      expect(signature).toHaveLength(64);
      const key = { key: signer.publicKey, dsaEncoding: 'ieee-p1363' as const };
      expect(verify(alg === 'ES256' ? 'sha256' : null, data, key, signature)).toBe(true);
      expect(verify(alg === 'ES256' ? 'sha256' : null, Buffer.from('Data'), key, signature)).toBe(false);
      expect(signer.jwk()).toMatchObject({ kid: signer.kid, alg, use: 'sig' });
      expect(signer.jwk()).not.toHaveProperty('d');
      expect(await calculateJwkThumbprint(signer.jwk())).toBe(signer.kid);
    },
  );

  it('does not show its private key when it is printed or serialised', () => {
    const signer = LocalSigner.generate();
    const { d = '' } = JSON.parse(JSON.stringify(LocalSigner.fromPem(signer.toPem()).jwk())) as {
      d?: string;
    };
    expect(d).toBe('');
    expect(JSON.stringify(signer)).not.toContain('PRIVATE');
  });
});

describe('SigningKeys', () => {
  it('keeps its first key over restarts', async () => {
    const first = await SigningKeys.open({ dir, now: T0 });
    const again = await SigningKeys.open({ dir, now: after(10) });
    expect(again.current(after(10)).kid).toBe(first.current(T0).kid);
  });

  it('opened by many at once is one key', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => SigningKeys.open({ dir, now: T0 })));
    expect(new Set(all.map((keys) => keys.current(T0).kid)).size).toBe(1);
  });

  it('publishes the next key ahead, then signs with it, then forgets the previous one', async () => {
    const keys = await SigningKeys.open({ dir, now: T0, overlapSeconds: 900 });
    const old = keys.current(T0).kid;
    const next = (await keys.rotate(T0, { publishAheadSeconds: 300 })).kid;
    const published = (seconds: number): (string | undefined)[] =>
      keys.jwks(after(seconds)).keys.map(({ kid }) => kid);

    expect(keys.current(after(299)).kid).toBe(old);
    expect(published(299)).toEqual([old, next]);
    // Published, but a token signed with it before its time is not one of ours.
    expect(keys.verificationKey(next, after(299))).toBeUndefined();

    expect(keys.current(after(300)).kid).toBe(next);
    expect(published(300)).toEqual([old, next]);
    expect(keys.verificationKey(old, after(1199))?.kid).toBe(old);

    expect(published(1200)).toEqual([next]);
    expect(keys.verificationKey(old, after(1200))).toBeUndefined();
    expect(keys.verificationKey(undefined, after(1200))).toBeUndefined();

    const reopened = await SigningKeys.open({ dir, now: after(400), overlapSeconds: 900 });
    expect(reopened.current(after(400)).kid).toBe(next);
    expect(reopened.jwks(after(400))).toEqual(keys.jwks(after(400)));
  });

  it('tokens of the previous key verify during the overlap, by kid, and not after; jose agrees', async () => {
    const keys = await SigningKeys.open({ dir, now: T0, overlapSeconds: 600 });
    const iat = T0.getTime() / 1000;
    const token = await signJwt({ iss: 'i', aud: 'a', iat, exp: iat + 900 }, keys.current(T0), {
      typ: 'at+jwt',
    });
    await keys.rotate(after(60));
    expect(keys.current(after(60)).kid).not.toBe(keys.current(after(59)).kid);
    const verifyAt = (now: Date): Promise<unknown> =>
      verifyJwt(token, {
        keys: (kid) => keys.verificationKey(kid, now),
        typ: 'at+jwt',
        issuer: 'i',
        audience: 'a',
        now,
      });
    await expect(verifyAt(after(659))).resolves.toMatchObject({ claims: { iss: 'i' } });
    await expect(verifyAt(after(660))).rejects.toMatchObject({ code: 'JWT_KEY_UNKNOWN' });
    const jwk = keys.jwks(after(100)).keys[0] ?? { kty: 'EC' as const };
    await jwtVerify(token, await importJWK(jwk, 'ES256'), { currentDate: after(100) });
  });

  it('learns of another process’s rotation by reloading, and refuses files that were exchanged', async () => {
    const one = await SigningKeys.open({ dir, now: T0 });
    const two = await SigningKeys.open({ dir, now: T0 });
    const rotated = (await one.rotate(after(5))).kid;
    expect(two.current(after(6)).kid).not.toBe(rotated);
    await two.reload();
    expect(two.current(after(6)).kid).toBe(rotated);
    await writeFile(join(dir, `5.${rotated}.pem`), LocalSigner.generate().toPem(), { mode: 0o600 });
    await expect(two.reload()).rejects.toMatchObject({ code: 'KEY_FILE_INVALID' });
    expect((await readdir(dir)).length).toBe(3);
  });

  it('rotates twice in one millisecond without losing the order', async () => {
    const keys = await SigningKeys.open({ dir, now: T0 });
    await keys.rotate(T0);
    const last = await keys.rotate(T0);
    expect(keys.current(after(1)).kid).toBe(last.kid);
    expect((await SigningKeys.open({ dir, now: T0 })).current(after(1)).kid).toBe(last.kid);
  });

  it('takes foreign signers, and says so when none has begun', async () => {
    const keys = SigningKeys.of([{ signer: LocalSigner.generate('EdDSA'), signsFrom: after(10) }]);
    expect(() => keys.current(T0)).toThrow(expect.objectContaining({ code: 'SIGNING_KEY_MISSING' }));
    expect(keys.current(after(10)).alg).toBe('EdDSA');
    await expect(keys.rotate(after(20))).rejects.toMatchObject({ code: 'SETTING_INVALID' });
    const other = LocalSigner.generate('EdDSA');
    await keys.rotate(after(20), { signer: other });
    expect(keys.current(after(21)).kid).toBe(other.kid);
    expect(() => SigningKeys.of([])).toThrow(expect.objectContaining({ code: 'SETTING_INVALID' }));
  });
});
