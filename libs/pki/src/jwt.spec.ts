import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { base64url, CompactSign, compactVerify, importJWK, jwtVerify, SignJWT } from 'jose';
import { signJws, verifyJws } from './jws.js';
import type { JwsAlg, VerificationKey } from './jws.js';
import { signJwt, verifyJwt } from './jwt.js';
import type { JwtClaims, VerifyJwtOptions } from './jwt.js';
import { LocalSigner } from './signer.js';
import type { Signer } from './signer.js';

// Thousands of operations on a machine that may be busy.
jest.setTimeout(60_000);

const NOW = new Date('2026-11-23T12:00:00Z');
const IAT = NOW.getTime() / 1000;
const signer = LocalSigner.generate('ES256');
const pinned: VerificationKey = { alg: 'ES256', key: signer.publicKey, kid: signer.kid };
const claims: JwtClaims = {
  iss: 'siegel',
  aud: 'mesh',
  sub: 'w',
  iat: IAT,
  nbf: IAT,
  exp: IAT + 900,
  cnf: { jkt: 'x' },
};
const options: VerifyJwtOptions = {
  keys: pinned,
  typ: 'eat+jwt',
  issuer: 'siegel',
  audience: 'mesh',
  now: NOW,
};
const sign = (change: JwtClaims = {}, by: Signer = signer): Promise<string> =>
  signJwt({ ...claims, ...change }, by, { typ: 'eat+jwt' });
const without = (name: string): JwtClaims =>
  Object.fromEntries(Object.entries(claims).filter(([key]) => key !== name));

/** A token with any header, signed for real with the pinned key. */
const forge = (header: object, payload: unknown = claims): string => {
  const input = `${base64url.encode(JSON.stringify(header))}.${base64url.encode(JSON.stringify(payload))}`;
  return `${input}.${signer.sign(Buffer.from(input)).toString('base64url')}`;
};

describe('JWT between this library and jose', () => {
  it.each(['ES256', 'EdDSA'] as const)(
    '%s: signed here, verified by jose; signed by jose, verified here',
    async (alg) => {
      const own = LocalSigner.generate(alg);
      const ours = await sign({}, own);
      const { payload, protectedHeader } = await jwtVerify(ours, own.publicKey, {
        algorithms: [alg],
        issuer: 'siegel',
        audience: 'mesh',
        typ: 'eat+jwt',
        currentDate: NOW,
      });
      expect(payload).toEqual(claims);
      expect(protectedHeader).toEqual({ alg, typ: 'eat+jwt', kid: own.kid });

      const { privateKey, publicKey } =
        alg === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519');
      const theirs = await new SignJWT(claims)
        .setProtectedHeader({ alg, typ: 'application/EAT+jwt' })
        .sign(privateKey);
      const verified = await verifyJwt(theirs, { ...options, keys: { alg, key: publicKey } });
      expect(verified.claims).toEqual(claims);
    },
  );

  it.each<[JwsAlg, () => { privateKey: KeyObject; publicKey: KeyObject }]>([
    ['ES384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' })],
    ['ES512', () => generateKeyPairSync('ec', { namedCurve: 'P-521' })],
    ['RS256', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['PS256', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['Ed25519', () => generateKeyPairSync('ed25519')],
  ])('%s of other issuers is verified with its pinned key only', async (alg, make) => {
    const { privateKey, publicKey } = make();
    const token = await new SignJWT(claims).setProtectedHeader({ alg, typ: 'eat+jwt' }).sign(privateKey);
    await expect(verifyJwt(token, { ...options, keys: { alg, key: publicKey } })).resolves.toMatchObject({
      claims,
    });
    await expect(
      verifyJwt(token, { ...options, keys: { alg, key: make().publicKey } }),
    ).rejects.toMatchObject({ code: 'JWT_SIGNATURE_INVALID' });
    await expect(verifyJwt(token, options)).rejects.toMatchObject({ code: 'JWT_ALG_REFUSED' });
    // A key of the wrong kind under the right algorithm name does not verify either.
    await expect(
      verifyJwt(token, { ...options, keys: { alg, key: signer.publicKey } }),
    ).rejects.toMatchObject({ code: 'JWT_SIGNATURE_INVALID' });
  });

  it('verifies the ES256 example of RFC 7515 appendix A.3', async () => {
    const key = createPublicKey({
      format: 'jwk',
      key: {
        kty: 'EC',
        crv: 'P-256',
        x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
        y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
      },
    });
    const payload =
      'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ';
    const signature =
      'DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q';
    // The example has no typ, which this library always demands; so its signature is checked by itself.
    const { verifySignature, parseCompactJws } = await import('./jws.js');
    const jws = parseCompactJws(`eyJhbGciOiJFUzI1NiJ9.${payload}.${signature}`, 1000);
    expect(await verifySignature(jws, { alg: 'ES256', key })).toBe(true);
    await expect(verifyJws(jws.token, { keys: { alg: 'ES256', key }, typ: 'JWT' })).rejects.toMatchObject({
      code: 'JWT_TYP_REFUSED',
    });
  });

  it('carries any payload as JWS', async () => {
    const token = await signJws(Buffer.of(0, 255, 10), signer, {
      typ: 'x+bin',
      cty: 'bin',
      header: { tenant: 't' },
    });
    expect(await verifyJws(token, { keys: pinned, typ: 'x+bin' })).toMatchObject({
      payload: Buffer.of(0, 255, 10),
      header: { alg: 'ES256', typ: 'x+bin', cty: 'bin', kid: signer.kid, tenant: 't' },
      kid: signer.kid,
    });
    expect((await compactVerify(token, signer.publicKey)).payload).toEqual(new Uint8Array([0, 255, 10]));
    await expect(
      signJws(Buffer.of(1), signer, { typ: 'x', header: { crit: ['b64'] } }),
    ).rejects.toMatchObject({ code: 'JWT_CRITICAL_HEADER' });
    const masked = await signJws(Buffer.of(1), signer, {
      typ: 'x',
      header: { alg: 'none', typ: 'y', kid: 'z' },
    });
    expect((await verifyJws(masked, { keys: pinned, typ: 'x' })).header).toMatchObject({
      alg: 'ES256',
      kid: signer.kid,
    });
  });
});

describe('a changed token', () => {
  let token: string;
  beforeAll(async () => {
    token = await sign();
  });

  it('is refused whichever character is changed, to whatever', async () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \u0000é';
    let tried = 0;
    for (let at = 0; at < token.length; at += 1) {
      const from = token.charCodeAt(at);
      // Near neighbours, the bit flips, and some foreign characters.
      const others = [1, 2, 4, 8, 16, 32].map((bit) => String.fromCharCode(from ^ bit));
      const more = [
        alphabet[(at * 7) % alphabet.length],
        alphabet[(at * 13 + 5) % alphabet.length],
        'A',
        '.',
        '=',
        'é',
      ];
      for (const other of new Set([...others, ...more])) {
        if (other === undefined || other === token[at]) continue;
        const changed = token.slice(0, at) + other + token.slice(at + 1);
        await expect(verifyJwt(changed, options)).rejects.toMatchObject({
          code: expect.stringMatching(/^JWT_/),
        });
        tried += 1;
      }
    }
    expect(tried).toBeGreaterThan(8 * token.length);
  });

  it('is refused when anything is cut off, added or moved', async () => {
    for (let at = 0; at < token.length; at += 1) {
      await expect(verifyJwt(token.slice(0, at), options)).rejects.toMatchObject({
        code: expect.stringMatching(/^JWT_/),
      });
    }
    const [header = '', payload = '', signature = ''] = token.split('.');
    const cases = [
      `${token}.`,
      `${token}=`,
      `.${token}`,
      ` ${token}`,
      `${token}\n`,
      `${token}A`,
      `${header}..${signature}`,
      `${payload}.${header}.${signature}`,
    ];
    for (const bad of cases)
      await expect(verifyJwt(bad, options)).rejects.toMatchObject({ code: expect.stringMatching(/^JWT_/) });
    await expect(verifyJwt(undefined as unknown as string, options)).rejects.toMatchObject({
      code: 'JWT_MALFORMED',
    });
  });

  it('with a signature of zeros or of another length is refused', async () => {
    const input = token.slice(0, token.lastIndexOf('.'));
    for (const bytes of [
      Buffer.alloc(64),
      Buffer.alloc(0),
      Buffer.alloc(63, 1),
      Buffer.alloc(65, 1),
      Buffer.alloc(64, 0xff),
    ]) {
      await expect(verifyJwt(`${input}.${bytes.toString('base64url')}`, options)).rejects.toMatchObject({
        code: 'JWT_SIGNATURE_INVALID',
      });
    }
  });
});

describe('what a header says never decides', () => {
  it.each([
    ['alg none', { alg: 'none', typ: 'eat+jwt' }, 'JWT_ALG_REFUSED'],
    ['alg HS256', { alg: 'HS256', typ: 'eat+jwt' }, 'JWT_ALG_REFUSED'],
    ['alg in lower case', { alg: 'es256', typ: 'eat+jwt' }, 'JWT_ALG_REFUSED'],
    ['no alg', { typ: 'eat+jwt' }, 'JWT_MALFORMED'],
    ['another typ', { alg: 'ES256', typ: 'at+jwt' }, 'JWT_TYP_REFUSED'],
    ['no typ', { alg: 'ES256' }, 'JWT_TYP_REFUSED'],
    ['typ of a wrong type', { alg: 'ES256', typ: 1 }, 'JWT_MALFORMED'],
    ['another kid', { alg: 'ES256', typ: 'eat+jwt', kid: 'other' }, 'JWT_KEY_UNKNOWN'],
    ['kid of a wrong type', { alg: 'ES256', typ: 'eat+jwt', kid: {} }, 'JWT_MALFORMED'],
    ['crit', { alg: 'ES256', typ: 'eat+jwt', crit: ['exp'], exp: 1 }, 'JWT_CRITICAL_HEADER'],
    ['b64', { alg: 'ES256', typ: 'eat+jwt', b64: false }, 'JWT_CRITICAL_HEADER'],
  ])('%s', async (_name, header, code) => {
    await expect(verifyJwt(forge(header), options)).rejects.toMatchObject({ code });
  });

  it('a jwk in the header is not used as the key', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = publicKey.export({ format: 'jwk' }) as { kty: string };
    const token = await new CompactSign(Buffer.from(JSON.stringify(claims)))
      .setProtectedHeader({ alg: 'ES256', typ: 'eat+jwt', jwk })
      .sign(privateKey);
    await expect(verifyJwt(token, options)).rejects.toMatchObject({ code: 'JWT_SIGNATURE_INVALID' });
    expect(await importJWK(jwk, 'ES256')).toBeDefined();
  });

  it('an HMAC with the public key as its secret is refused', async () => {
    const spki = signer.publicKey.export({ type: 'spki', format: 'der' });
    const token = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', typ: 'eat+jwt' }).sign(spki);
    await expect(verifyJwt(token, options)).rejects.toMatchObject({ code: 'JWT_ALG_REFUSED' });
  });

  it('an unknown kid gives no key', async () => {
    const token = await sign();
    await expect(verifyJwt(token, { ...options, keys: () => undefined })).rejects.toMatchObject({
      code: 'JWT_KEY_UNKNOWN',
    });
  });
});

describe('claims', () => {
  const at = (seconds: number): Date => new Date((IAT + seconds) * 1000);
  it.each([
    ['expired', {}, { now: at(905) }, 'JWT_EXPIRED'],
    ['not yet valid', { nbf: IAT + 100 }, {}, 'JWT_NOT_YET_VALID'],
    ['issued in the future', { iat: IAT + 100 }, {}, 'JWT_NOT_YET_VALID'],
    ['another issuer', { iss: 'other' }, {}, 'JWT_ISSUER_REFUSED'],
    ['another audience', { aud: 'other' }, {}, 'JWT_AUDIENCE_REFUSED'],
    ['other audiences', { aud: ['other', 'mes'] }, {}, 'JWT_AUDIENCE_REFUSED'],
    ['too long a life', {}, { maxLifetimeSeconds: 899 }, 'JWT_LIFETIME_REFUSED'],
    ['an unreadable clock', {}, { now: new Date(NaN) }, 'SETTING_INVALID'],
  ])('%s', async (_name, change, option, code) => {
    await expect(verifyJwt(await sign(change), { ...options, ...option })).rejects.toMatchObject({ code });
  });

  it('are accepted within the allowed difference of clocks, and as one of several audiences', async () => {
    await expect(verifyJwt(await sign(), { ...options, now: at(904) })).resolves.toBeDefined();
    await expect(verifyJwt(await sign({ nbf: IAT + 5, iat: IAT + 5 }), options)).resolves.toBeDefined();
    await expect(
      verifyJwt(await sign(), { ...options, now: at(900), clockSkewSeconds: 0 }),
    ).rejects.toMatchObject({ code: 'JWT_EXPIRED' });
    await expect(
      verifyJwt(await sign({ aud: ['x', 'mesh'] }), { ...options, maxLifetimeSeconds: 900 }),
    ).resolves.toBeDefined();
  });

  it.each([
    ['exp missing', without('exp'), 'JWT_CLAIM_INVALID'],
    ['exp as text', { ...claims, exp: '2000000000' }, 'JWT_CLAIM_INVALID'],
    ['exp null', { ...claims, exp: null }, 'JWT_CLAIM_INVALID'],
    ['exp beyond all bounds', { ...claims, exp: -1 }, 'JWT_CLAIM_INVALID'],
    ['nbf as object', { ...claims, nbf: {} }, 'JWT_CLAIM_INVALID'],
    ['iss missing', without('iss'), 'JWT_ISSUER_REFUSED'],
    ['iss as list', { ...claims, iss: ['siegel'] }, 'JWT_CLAIM_INVALID'],
    ['aud missing', without('aud'), 'JWT_AUDIENCE_REFUSED'],
    ['aud mixed', { ...claims, aud: ['mesh', 1] }, 'JWT_CLAIM_INVALID'],
    ['jti as number', { ...claims, jti: 1 }, 'JWT_CLAIM_INVALID'],
    ['a list', [claims], 'JWT_CLAIM_INVALID'],
    ['null', null, 'JWT_CLAIM_INVALID'],
  ])('properly signed but wrong: %s', async (_name, payload, code) => {
    const token = forge({ alg: 'ES256', typ: 'eat+jwt' }, payload);
    await expect(verifyJwt(token, options)).rejects.toMatchObject({ code });
  });

  it('are checked when signing too', async () => {
    await expect(sign({ exp: NaN })).rejects.toMatchObject({ code: 'JWT_CLAIM_INVALID' });
    await expect(signJwt(claims, signer, { typ: 'eat+jwt', maxLifetimeSeconds: 60 })).rejects.toMatchObject({
      code: 'JWT_LIFETIME_REFUSED',
    });
    await expect(
      signJwt(without('iat'), signer, { typ: 'eat+jwt', maxLifetimeSeconds: 900 }),
    ).rejects.toMatchObject({ code: 'JWT_CLAIM_INVALID' });
    await expect(sign({ pad: 'x'.repeat(20_000) })).rejects.toMatchObject({ code: 'JWT_TOO_LARGE' });
  });

  it('are not even decoded when the token is too large', async () => {
    await expect(verifyJwt('x'.repeat(16_385), options)).rejects.toMatchObject({ code: 'JWT_TOO_LARGE' });
    const token = await sign();
    await expect(verifyJwt(token, { ...options, maxBytes: token.length - 1 })).rejects.toMatchObject({
      code: 'JWT_TOO_LARGE',
    });
    await expect(verifyJwt(token, { ...options, maxBytes: token.length })).resolves.toBeDefined();
  });
});

describe('a remote signer', () => {
  const remote = (answer: () => Promise<Buffer>): Signer => ({
    kid: signer.kid,
    alg: 'ES256',
    publicKey: signer.publicKey,
    jwk: () => signer.jwk(),
    sign: answer,
  });

  it('may be asynchronous', async () => {
    const slow: Signer = {
      ...remote(() => Promise.resolve(Buffer.alloc(0))),
      sign: (data) => new Promise((done) => setImmediate(() => done(signer.sign(data)))),
    };
    await expect(verifyJwt(await sign({}, slow), options)).resolves.toMatchObject({ claims });
  });

  it('that fails or answers nonsense is a typed error', async () => {
    await expect(
      sign(
        {},
        remote(() => Promise.reject(new Error('429'))),
      ),
    ).rejects.toMatchObject({ code: 'SIGNER_FAILED' });
    await expect(
      sign(
        {},
        remote(() => Promise.resolve(Buffer.alloc(71))),
      ),
    ).rejects.toMatchObject({ code: 'SIGNER_FAILED' });
  });
});
