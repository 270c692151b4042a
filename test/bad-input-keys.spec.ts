import type { ErrorCode } from '#contracts';
import { expectedReportData } from '#evidence';
import { ChallengeMinter, openJwe, PublicKey } from '#pki';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { JsonAnswer } from '../apps/cli/src/demo/https-json.js';
import {
  envSecret,
  identityOf,
  measured,
  type Refusals,
  type RunningSiegel,
  refusingDeployment,
} from './harness/index.js';

jest.setTimeout(120_000);
const SECRET = `the secret ${randomBytes(16).toString('hex')}`;

let siegel: RunningSiegel;
let refusals: Refusals;

beforeAll(async () => {
  ({ siegel, refusals } = await refusingDeployment(SECRET, {
    fresh: { binding: { challenge: 'required' }, secrets: [envSecret('password', 'PASSWORD')] },
    keyless: { secrets: [envSecret('password', 'PASSWORD')] },
  }));
});
afterAll(() => siegel?.stop());

const enclave = (word = 'app') => siegel.machines.enclave(word);
const post = (body: unknown): Promise<JsonAnswer> => siegel.service.post('/v1/attest', body);
const valid = (change: Record<string, unknown> = {}) => ({ ...enclave().requestBody(), ...change });
const flipped = (bytes: Buffer, at: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy[at]! ^= 0x01;
  return copy;
};
const withEvidence = (bytes: Buffer, of = enclave()) => ({
  ...of.requestBody(),
  evidence: bytes.toString('base64url'),
});
const quoteFor = (word: string, key: PublicKey): Buffer =>
  siegel.machines.sgx.platform({ name: 'demo' }).quote({
    ...identityOf(word),
    reportData: expectedReportData('sha256-spki', { spki: key.spki }),
  } as never);

describe('a key that the evidence does not bind, or that is none', () => {
  it('of another enclave', async () => {
    const answer = await post({
      ...enclave().requestBody(),
      evidence: enclave().quote().toString('base64url'),
    });
    const event = await refusals.expectDenied(answer, 'BINDING_MISMATCH', 'BINDING_MISMATCH');
    expect(event).toMatchObject({ mrenclave: measured('app'), simulated: true });
  });

  it('by another convention than the one that is named', async () => {
    await refusals.expectDenied(
      await post(valid({ binding: 'sha512-spki' })),
      'BINDING_MISMATCH',
      'BINDING_MISMATCH',
    );
  });

  it.each([undefined, null, 7])('by no convention: %j', async (binding) => {
    await refusals.expectDenied(await post(valid({ binding })), 'REQUEST_MALFORMED', 'REQUEST_MALFORMED');
  });

  it.each(['unknown', '', 'constructor', '__proto__', 'SHA256-SPKI', 'x'.repeat(33)])(
    'by the convention %j',
    async (binding) => {
      await refusals.expectDenied(await post(valid({ binding })), 'BINDING_UNKNOWN', 'BINDING_UNKNOWN');
    },
  );

  it('by a convention that the manifest does not name', async () => {
    const one = siegel.machines.enclave('app');
    const reportData = expectedReportData('sha512-spki', { spki: one.key.spki });
    const quote = siegel.machines.sgx
      .platform({ name: 'demo' })
      .quote({ ...identityOf('app'), reportData } as never);
    const answer = await post({ ...withEvidence(quote, one), binding: 'sha512-spki' });
    await refusals.expectDenied(answer, 'RELEASE_DENIED', 'BINDING_NOT_ALLOWED');
  });

  const p256 = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spkiOf = (key: ReturnType<typeof p256>['publicKey']) =>
    key.export({ type: 'spki', format: 'der' }).toString('base64url');

  it.each<[string, () => unknown, ErrorCode, string]>([
    ['neither JWK nor SPKI', () => ({}), 'REQUEST_MALFORMED', 'REQUEST_MALFORMED'],
    [
      'both JWK and SPKI',
      () => ({ jwk: enclave().key.jwk, spki: enclave().key.spki.toString('base64url') }),
      'REQUEST_MALFORMED',
      'REQUEST_MALFORMED',
    ],
    [
      'a private JWK',
      () => ({ jwk: p256().privateKey.export({ format: 'jwk' }) }),
      'REQUEST_MALFORMED',
      'REQUEST_MALFORMED',
    ],
    ['a symmetric JWK', () => ({ jwk: { kty: 'oct', k: 'AAAA' } }), 'REQUEST_MALFORMED', 'REQUEST_MALFORMED'],
    [
      'RSA of 1024 bits',
      () => ({ spki: spkiOf(generateKeyPairSync('rsa', { modulusLength: 1_024 }).publicKey) }),
      'PUBLIC_KEY_INVALID',
      'KEY_WEAK',
    ],
    [
      'RSA with exponent 3',
      () => ({
        spki: spkiOf(generateKeyPairSync('rsa', { modulusLength: 2_048, publicExponent: 3 }).publicKey),
      }),
      'PUBLIC_KEY_INVALID',
      'KEY_WEAK',
    ],
    [
      'a point off its curve',
      () => {
        const { y, ...rest } = enclave().key.jwk;
        return { jwk: { ...rest, y: flipped(Buffer.from(y!, 'base64url'), 31).toString('base64url') } };
      },
      'PUBLIC_KEY_INVALID',
      'KEY_NOT_ON_CURVE',
    ],
    [
      'the point at infinity',
      () => ({ jwk: { kty: 'EC', crv: 'P-256', x: 'A'.repeat(43), y: 'A'.repeat(43) } }),
      'PUBLIC_KEY_INVALID',
      'KEY_NOT_ON_CURVE',
    ],
    [
      'an Ed25519 key, to which nothing can be sealed',
      () => ({ jwk: PublicKey.fromKeyObject(generateKeyPairSync('ed25519').publicKey).jwk }),
      'PUBLIC_KEY_INVALID',
      'PUBLIC_KEY_INVALID',
    ],
    [
      'a curve that is not accepted',
      () => ({ spki: spkiOf(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey) }),
      'PUBLIC_KEY_INVALID',
      'KEY_UNSUPPORTED',
    ],
    [
      'an SPKI of noise',
      () => ({ spki: randomBytes(91).toString('base64url') }),
      'PUBLIC_KEY_INVALID',
      'KEY_MALFORMED',
    ],
    ['an empty SPKI', () => ({ spki: '' }), 'PUBLIC_KEY_INVALID', 'KEY_MALFORMED'],
    [
      'an SPKI with a tail',
      () => ({ spki: Buffer.concat([enclave().key.spki, Buffer.of(0)]).toString('base64url') }),
      'PUBLIC_KEY_INVALID',
      expect.stringMatching(/^KEY_/) as unknown as string,
    ],
    [
      'an unknown member of the JWK',
      () => ({ jwk: { ...enclave().key.jwk, x5u: 'https://example.org' } }),
      'REQUEST_MALFORMED',
      'REQUEST_MALFORMED',
    ],
  ])('%s', async (_what, publicKey, code, reason) => {
    const event = await refusals.expectDenied(await post(valid({ publicKey: publicKey() })), code, reason);
    expect(JSON.stringify(event)).not.toMatch(/"d":/);
  });

  it('an X25519 key cannot carry the certificate that the workload gets', async () => {
    const key = PublicKey.fromKeyObject(generateKeyPairSync('x25519').publicKey);
    const quote = quoteFor('app', key);
    const answer = await post({
      evidence: quote.toString('base64url'),
      publicKey: { jwk: key.jwk },
      binding: 'sha256-spki',
    });
    await refusals.expectDenied(answer, 'PUBLIC_KEY_INVALID', 'PUBLIC_KEY_INVALID');
  });

  it.each([
    ['P-384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' })],
    ['P-521', () => generateKeyPairSync('ec', { namedCurve: 'P-521' })],
    ['RSA-2048', () => generateKeyPairSync('rsa', { modulusLength: 2_048 })],
    ['X25519', () => generateKeyPairSync('x25519')],
  ])('but a key of the kind %s receives what is sealed to it', async (_kind, generate) => {
    const { publicKey, privateKey } = generate();
    const key = PublicKey.fromKeyObject(publicKey);
    const answer = await post({
      evidence: quoteFor('keyless', key).toString('base64url'),
      publicKey: { spki: key.spki.toString('base64url') },
      binding: 'sha256-spki',
    });
    expect(answer.status).toBe(200);
    const { plaintext } = openJwe((answer.body as { release: string }).release, privateKey);
    expect(JSON.parse(plaintext.toString('utf8'))).toMatchObject({ env: { PASSWORD: SECRET } });
    await refusals.expectNone();
  });
});

describe('challenges', () => {
  const challenge = async (): Promise<string> =>
    ((await siegel.service.post('/v1/challenge', {})).body as { challenge: string }).challenge;
  const minter = (key: Buffer): ChallengeMinter => new ChallengeMinter({ keys: [key], ttlSeconds: 120 });
  const ownKey = (): Buffer => Buffer.from(readFileSync(siegel.layout.challengeKey, 'utf8').trim(), 'base64');

  it('are demanded where the manifest says so', async () => {
    await refusals.expectDenied(
      await post(enclave('fresh').requestBody()),
      'CHALLENGE_REQUIRED',
      'CHALLENGE_REQUIRED',
    );
  });

  it('count once', async () => {
    const body = enclave('fresh').requestBody({ challenge: await challenge() });
    expect((await post(body)).status).toBe(200);
    await refusals.expectDenied(await post(body), 'CHALLENGE_REPLAYED', 'CHALLENGE_REPLAYED');
  });

  it('of which two requests race count once', async () => {
    const body = enclave('fresh').requestBody({ challenge: await challenge() });
    const statuses = (await Promise.all([post(body), post(body), post(body)])).map(({ status }) => status);
    expect(statuses.sort()).toEqual([200, 403, 403]);
    expect(await refusals.reasons()).toEqual(['CHALLENGE_REPLAYED', 'CHALLENGE_REPLAYED']);
  });

  it.each<[string, () => string | Promise<string>, ErrorCode, string]>([
    [
      'that have expired',
      () => minter(ownKey()).mint(new Date(Date.now() - 600_000)).challenge,
      'CHALLENGE_EXPIRED',
      'CHALLENGE_EXPIRED',
    ],
    [
      'from the future',
      () => minter(ownKey()).mint(new Date(Date.now() + 600_000)).challenge,
      'CHALLENGE_INVALID',
      'CHALLENGE_FROM_FUTURE',
    ],
    [
      'of another service',
      () => minter(randomBytes(32)).mint(new Date()).challenge,
      'CHALLENGE_INVALID',
      'CHALLENGE_FORGED',
    ],
    [
      'whose expiry was moved',
      async () => {
        const bytes = Buffer.from(await challenge(), 'base64url');
        return flipped(bytes, 9).toString('base64url');
      },
      'CHALLENGE_INVALID',
      'CHALLENGE_FORGED',
    ],
    ['of noise', () => Buffer.alloc(64, 7).toString('base64url'), 'CHALLENGE_INVALID', 'CHALLENGE_MALFORMED'],
  ])('%s are refused', async (_what, make, code, reason) => {
    const body = enclave('fresh').requestBody({ challenge: await make() });
    await refusals.expectDenied(await post(body), code, reason);
  });

  it('that are empty are refused', async () => {
    const body = { ...enclave('fresh').requestBody(), challenge: '' };
    await refusals.expectDenied(await post(body), 'CHALLENGE_INVALID', 'CHALLENGE_MALFORMED');
  });

  it('that the evidence does not bind are refused', async () => {
    const body = { ...enclave('fresh').requestBody(), challenge: await challenge() };
    await refusals.expectDenied(await post(body), 'BINDING_MISMATCH', 'CHALLENGE_NOT_BOUND');
  });

  it('of which the evidence binds another are refused', async () => {
    const body = enclave('fresh').requestBody({ challenge: await challenge() });
    await refusals.expectDenied(
      await post({ ...body, challenge: await challenge() }),
      'BINDING_MISMATCH',
      'CHALLENGE_NOT_BOUND',
    );
  });
});
