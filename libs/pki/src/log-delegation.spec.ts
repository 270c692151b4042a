import { describe, expect, it } from '@jest/globals';
import { signJwt } from './jwt.js';
import { signLogDelegation, verifyLogDelegation } from './log-delegation.js';
import { PublicKey } from './public-key.js';
import { LocalSigner } from './signer.js';

const NOW = new Date('2026-11-23T12:00:00Z');
const authority = LocalSigner.generate('ES256');
const key = PublicKey.fromKeyObject(authority.publicKey);
const delegation = {
  origin: 'siegel.local/log/shop',
  vkey: 'siegel.local/log/shop+0a1b2c3d+AQIDBA==',
  notBefore: new Date(NOW.getTime() - 60_000),
  notAfter: new Date(NOW.getTime() + 3_600_000),
};
const expected = { authority: key, origin: delegation.origin, now: NOW };

describe('a delegation of a log key', () => {
  it('says which key is the log’s, and until when', async () => {
    expect(await verifyLogDelegation(await signLogDelegation(delegation, authority), expected)).toEqual(
      delegation,
    );
  });

  it.each([
    ['another log', { origin: 'siegel.local/log/other' }, 'JWT_AUDIENCE_REFUSED'],
    ['a time after it', { now: new Date(NOW.getTime() + 3_606_000) }, 'JWT_EXPIRED'],
    ['a time before it', { now: new Date(NOW.getTime() - 66_000) }, 'JWT_NOT_YET_VALID'],
    [
      'another authority',
      { authority: PublicKey.fromKeyObject(LocalSigner.generate('ES256').publicKey) },
      'JWT_KEY_UNKNOWN',
    ],
  ])('does not hold for %s', async (_name, change, code) => {
    const jws = await signLogDelegation(delegation, authority);
    await expect(verifyLogDelegation(jws, { ...expected, ...change })).rejects.toMatchObject({ code });
  });

  const claims = {
    iss: 'siegel-log-authority',
    sub: delegation.origin,
    aud: delegation.origin,
    vkey: delegation.vkey,
    nbf: NOW.getTime() / 1_000,
    exp: NOW.getTime() / 1_000 + 60,
  };
  it.each([
    ['another issuer', { iss: 'siegel' }, 'JWT_ISSUER_REFUSED'],
    ['another subject', { sub: 'else' }, 'JWT_CLAIM_INVALID'],
    ['no key', { vkey: undefined }, 'JWT_CLAIM_INVALID'],
    ['a key over two lines', { vkey: 'a\nb' }, 'JWT_CLAIM_INVALID'],
    ['no beginning', { nbf: undefined }, 'JWT_CLAIM_INVALID'],
    ['no end', { exp: undefined }, 'JWT_CLAIM_INVALID'],
  ])('is refused with %s', async (_name, change, code) => {
    const jws = await signJwt({ ...claims, ...change } as never, authority, {
      typ: 'siegel-log-delegation+jwt',
    });
    await expect(verifyLogDelegation(jws, expected)).rejects.toMatchObject({ code });
  });

  it('is no other token of the same key, and no other token is a delegation', async () => {
    const jws = await signJwt(claims, authority, { typ: 'JWT' });
    await expect(verifyLogDelegation(jws, expected)).rejects.toMatchObject({ code: 'JWT_TYP_REFUSED' });
  });

  it('is refused when a character changed', async () => {
    const jws = await signLogDelegation(delegation, authority);
    const [header, payload, signature] = jws.split('.') as [string, string, string];
    const other = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as object;
    const forged = Buffer.from(JSON.stringify({ ...other, vkey: 'mine' })).toString('base64url');
    await expect(verifyLogDelegation(`${header}.${forged}.${signature}`, expected)).rejects.toMatchObject({
      code: 'JWT_SIGNATURE_INVALID',
    });
  });
});
