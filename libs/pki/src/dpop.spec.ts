import { describe, expect, it } from '@jest/globals';
import { createHash, generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { base64url, CompactSign, compactVerify, EmbeddedJWK } from 'jose';
import { createDpopProof } from './dpop-proof.js';
import { verifyDpopProof } from './dpop.js';
import type { DpopVerification, VerifiedDpop } from './dpop.js';
import { normaliseHtu } from './http-target.js';
import { PublicKey } from './public-key.js';
import { ReplayCache } from './replay-cache.js';

const NOW = new Date('2026-11-23T12:00:00Z');
const IAT = NOW.getTime() / 1000;
const URL_ = 'https://siegel.example/v1/release';
const TOKEN = 'eyJhbGciOiJFUzI1NiJ9.e30.AA';
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = PublicKey.fromKeyObject(pair.publicKey).jwk;
const jkt = PublicKey.fromKeyObject(pair.publicKey).thumbprint;
const ath = createHash('sha256').update(TOKEN).digest('base64url');

const base = { htm: 'GET', htu: URL_, iat: IAT, jti: 'one', ath };
/** A proof with any header and claims, signed for real by jose. */
const make = (claims: object = {}, header: object = {}, key: KeyObject = pair.privateKey): Promise<string> =>
  new CompactSign(Buffer.from(JSON.stringify({ ...base, ...claims })))
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: jwk as { kty: string }, ...header })
    .sign(key);
const check = (proof: string, change: Partial<DpopVerification> = {}): Promise<VerifiedDpop> =>
  verifyDpopProof({
    proof,
    method: 'GET',
    url: URL_,
    now: NOW,
    replay: new ReplayCache(),
    accessToken: TOKEN,
    jkt,
    ...change,
  });

describe('DPoP proofs', () => {
  it.each([
    ['P-256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' })],
    ['P-384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' })],
    ['P-521', () => generateKeyPairSync('ec', { namedCurve: 'P-521' })],
    ['Ed25519', () => generateKeyPairSync('ed25519')],
    ['RSA', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
  ])('of a %s key made here verify here and in jose', async (_kind, generate) => {
    const { privateKey, publicKey } = generate();
    const key = PublicKey.fromKeyObject(publicKey);
    const proof = await createDpopProof({
      privateKey,
      method: 'GET',
      url: `${URL_}?a=b#c`,
      now: NOW,
      accessToken: TOKEN,
    });
    const verified = await check(proof, { jkt: key.thumbprint });
    expect(verified).toMatchObject({ jkt: key.thumbprint, issuedAt: NOW });
    expect(verified.key.spki).toEqual(key.spki);
    const { payload, protectedHeader } = await compactVerify(proof, EmbeddedJWK);
    expect(JSON.parse(Buffer.from(payload).toString())).toEqual({
      htm: 'GET',
      htu: URL_,
      iat: IAT,
      jti: verified.jti,
      ath,
    });
    expect(protectedHeader).toMatchObject({ typ: 'dpop+jwt', jwk: key.jwk });
  });

  it('made by jose verify here, with EdDSA under both of its names', async () => {
    await expect(check(await make())).resolves.toMatchObject({ jkt, jti: 'one' });
    const ed = generateKeyPairSync('ed25519');
    const key = PublicKey.fromKeyObject(ed.publicKey);
    for (const alg of ['EdDSA', 'Ed25519']) {
      await expect(
        check(await make({}, { alg, jwk: key.jwk }, ed.privateKey), { jkt: key.thumbprint }),
      ).resolves.toBeDefined();
    }
  });

  it('of RFC 9449 §4.1 verify', async () => {
    const proof =
      'eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg';
    await expect(
      verifyDpopProof({
        proof,
        method: 'POST',
        url: 'https://server.example.com/token',
        now: new Date(1562262618_000),
        replay: new ReplayCache(),
      }),
    ).resolves.toMatchObject({ jkt: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I', jti: '-BwC3ESc6acc2lTc' });
  });

  it('are bound to method, URL, token, key and time, each refused by its own code', async () => {
    const cases: [string, object, Partial<DpopVerification>, string][] = [
      ['method', { htm: 'POST' }, {}, 'DPOP_METHOD_MISMATCH'],
      ['method in lower case', { htm: 'get' }, {}, 'DPOP_METHOD_MISMATCH'],
      ['host', { htu: 'https://siegel.example.org/v1/release' }, {}, 'DPOP_URL_MISMATCH'],
      ['scheme', { htu: 'http://siegel.example/v1/release' }, {}, 'DPOP_URL_MISMATCH'],
      ['port', { htu: 'https://siegel.example:8443/v1/release' }, {}, 'DPOP_URL_MISMATCH'],
      ['path', { htu: 'https://siegel.example/v1/release/' }, {}, 'DPOP_URL_MISMATCH'],
      ['path in another case', { htu: 'https://siegel.example/V1/release' }, {}, 'DPOP_URL_MISMATCH'],
      ['credentials', { htu: 'https://a@siegel.example/v1/release' }, {}, 'DPOP_URL_MISMATCH'],
      ['relative', { htu: '/v1/release' }, {}, 'DPOP_URL_MISMATCH'],
      ['too old', { iat: IAT - 61 }, {}, 'DPOP_TOO_OLD'],
      ['from the future', { iat: IAT + 6 }, {}, 'DPOP_FROM_FUTURE'],
      ['narrow window', { iat: IAT - 11 }, { maxAgeSeconds: 10 }, 'DPOP_TOO_OLD'],
      ['unreadable clock', {}, { now: new Date(NaN) }, 'SETTING_INVALID'],
      ['another token', {}, { accessToken: 'other' }, 'DPOP_TOKEN_MISMATCH'],
      ['another key', {}, { jkt: 'x'.repeat(43) }, 'DPOP_KEY_MISMATCH'],
      ['no ath', { ath: undefined }, {}, 'DPOP_CLAIM_INVALID'],
      ['no jti', { jti: undefined }, {}, 'DPOP_CLAIM_INVALID'],
      ['empty jti', { jti: '' }, {}, 'DPOP_CLAIM_INVALID'],
      ['endless jti', { jti: 'x'.repeat(257) }, {}, 'DPOP_CLAIM_INVALID'],
      ['no htm', { htm: undefined }, {}, 'DPOP_CLAIM_INVALID'],
      ['no htu', { htu: undefined }, {}, 'DPOP_CLAIM_INVALID'],
      ['no iat', { iat: undefined }, {}, 'DPOP_CLAIM_INVALID'],
      ['iat as text', { iat: String(IAT) }, {}, 'DPOP_CLAIM_INVALID'],
      ['a nonce is missing', {}, { acceptNonce: () => true }, 'DPOP_NONCE_REQUIRED'],
      ['a wrong nonce', { nonce: 'n' }, { acceptNonce: (nonce) => nonce === 'm' }, 'DPOP_NONCE_REFUSED'],
      ['token without its key', {}, { jkt: undefined as unknown as string }, 'SETTING_INVALID'],
    ];
    for (const [name, claims, change, code] of cases) {
      const outcome = await check(await make(claims), change).then(
        () => 'accepted',
        (error: { code: string }) => error.code,
      );
      expect([name, outcome]).toEqual([name, code]);
    }
    await expect(check(await make({ iat: IAT - 60 }))).resolves.toBeDefined();
    await expect(check(await make({ iat: IAT + 5 }))).resolves.toBeDefined();
    await expect(
      check(await make({ nonce: 'n' }), { acceptNonce: (nonce) => nonce === 'n' }),
    ).resolves.toBeDefined();
  });

  it('with a wrong header are refused, each by its own code', async () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const unsigned = (header: object, payload = JSON.stringify(base)): string =>
      `${base64url.encode(JSON.stringify(header))}.${base64url.encode(payload)}.${base64url.encode(Buffer.alloc(64, 1))}`;
    const cases: [string, string, string][] = [
      ['typ', await make({}, { typ: 'JWT' }), 'DPOP_TYP_REFUSED'],
      ['no typ', unsigned({ alg: 'ES256', jwk }), 'DPOP_TYP_REFUSED'],
      ['alg none', unsigned({ alg: 'none', typ: 'dpop+jwt', jwk }), 'DPOP_ALG_REFUSED'],
      ['alg HS256', unsigned({ alg: 'HS256', typ: 'dpop+jwt', jwk }), 'DPOP_ALG_REFUSED'],
      ['alg of another curve', unsigned({ alg: 'ES384', typ: 'dpop+jwt', jwk }), 'DPOP_ALG_REFUSED'],
      ['no jwk', unsigned({ alg: 'ES256', typ: 'dpop+jwt' }), 'DPOP_KEY_REFUSED'],
      [
        'symmetric jwk',
        unsigned({ alg: 'HS256', typ: 'dpop+jwt', jwk: { kty: 'oct', k: 'AA' } }),
        'DPOP_KEY_PRIVATE',
      ],
      ['private jwk', await make({}, { jwk: { ...jwk, d: 'AA' } }), 'DPOP_KEY_PRIVATE'],
      [
        'off-curve jwk',
        unsigned({ alg: 'ES256', typ: 'dpop+jwt', jwk: { ...jwk, y: jwk.x } }),
        'DPOP_KEY_REFUSED',
      ],
      [
        'agreement jwk',
        unsigned({
          alg: 'EdDSA',
          typ: 'dpop+jwt',
          jwk: PublicKey.fromKeyObject(generateKeyPairSync('x25519').publicKey).jwk,
        }),
        'DPOP_ALG_REFUSED',
      ],
      ['signed by another key', await make({}, {}, other.privateKey), 'DPOP_SIGNATURE_INVALID'],
      ['crit', unsigned({ alg: 'ES256', typ: 'dpop+jwt', jwk, crit: ['x'] }), 'DPOP_MALFORMED'],
      ['two parts', 'a.b', 'DPOP_MALFORMED'],
      ['two proofs', `${await make()},${await make()}`, 'DPOP_MALFORMED'],
      ['empty', '', 'DPOP_MALFORMED'],
      ['huge', 'x'.repeat(8193), 'DPOP_TOO_LARGE'],
    ];
    for (const [name, proof, code] of cases) {
      const outcome = await check(proof).then(
        () => 'accepted',
        (error: { code: string }) => error.code,
      );
      expect([name, outcome]).toEqual([name, code]);
    }
    const list = await new CompactSign(Buffer.from('[]'))
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: jwk as { kty: string } })
      .sign(pair.privateKey);
    await expect(check(list)).rejects.toMatchObject({ code: 'DPOP_MALFORMED' });
  });

  it('are accepted once; the replay cache fails closed, and refused proofs take no place in it', async () => {
    const replay = new ReplayCache({ maxEntries: 2 });
    const proof = await make();
    await check(proof, { replay });
    await expect(check(proof, { replay })).rejects.toMatchObject({ code: 'DPOP_REPLAYED' });
    // Another signature over the same jti is a replay as well.
    await expect(check(await make(), { replay })).rejects.toMatchObject({ code: 'DPOP_REPLAYED' });
    await expect(check(await make({ jti: 'x', htm: 'PUT' }), { replay })).rejects.toMatchObject({
      code: 'DPOP_METHOD_MISMATCH',
    });
    expect(replay.size).toBe(1);
    await check(await make({ jti: 'two' }), { replay });
    await expect(check(await make({ jti: 'three' }), { replay })).rejects.toMatchObject({
      code: 'DPOP_REPLAY_CACHE_FULL',
    });
    const later = new Date(NOW.getTime() + 60_000);
    await expect(check(proof, { replay, now: later })).rejects.toMatchObject({ code: 'DPOP_REPLAYED' });
    const tooLate = new Date(NOW.getTime() + 60_001);
    await expect(check(proof, { replay, now: tooLate })).rejects.toMatchObject({ code: 'DPOP_TOO_OLD' });
  });

  it('cannot be made with a key that does not sign, or for no URL', async () => {
    const x = generateKeyPairSync('x25519').privateKey;
    await expect(
      createDpopProof({ privateKey: x, method: 'GET', url: URL_, now: NOW }),
    ).rejects.toMatchObject({ code: 'KEY_NOT_USABLE' });
    await expect(
      createDpopProof({ privateKey: pair.publicKey, method: 'GET', url: URL_, now: NOW }),
    ).rejects.toMatchObject({ code: 'KEY_NOT_USABLE' });
    await expect(
      createDpopProof({ privateKey: pair.privateKey, method: 'GET', url: '/x', now: NOW }),
    ).rejects.toMatchObject({ code: 'DPOP_URL_MISMATCH' });
  });
});

describe('htu', () => {
  it.each([
    ['HTTPS://Siegel.Example:443/v1/release?x=1#y', 'https://siegel.example/v1/release'],
    ['http://h:80', 'http://h/'],
    ['http://h:8080/', 'http://h:8080/'],
    ['https://h/a/./b/../c', 'https://h/a/c'],
    ['https://h/%7euser/%2f%c3%bc', 'https://h/~user/%2F%C3%BC'],
    ['https://h/ü', 'https://h/%C3%BC'],
    ['https://[::1]:443/x', 'https://[::1]/x'],
  ])('%s', (url, expected) => {
    expect(normaliseHtu(url)).toBe(expected);
  });

  it.each([
    '',
    'x',
    '//h/x',
    'ftp://h/x',
    'https://u:p@h/x',
    'https://',
    `https://h/${'x'.repeat(2048)}`,
    'javascript:alert(1)',
  ])('refuses %s', (url) => {
    expect(normaliseHtu(url)).toBeUndefined();
  });
});
