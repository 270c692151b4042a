import {
  constants,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  createVerify,
  generateKeyPairSync,
  privateDecrypt,
  randomBytes,
  X509Certificate,
  type KeyObject,
} from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { SignJWT, type JWTPayload } from 'jose';
import { FakeAzure, outcomeOf, SdkClients } from './fake-azure/index.js';

let dir: string;
let fake: FakeAzure;
let clients: SdkClients;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'fake-azure-'));
  fake = await FakeAzure.start({ vaults: ['hsm', 'second'] });
  clients = new SdkClients(fake, 'hsm', dir);
});
afterAll(async () => {
  clients.close();
  await fake.close();
  rmSync(dir, { recursive: true });
});
afterEach(() => {
  fake.faults.clear();
  fake.clock.reset();
});

describe('secure key release', () => {
  const issuer = 'https://attest.example';
  const signer = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const kek = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const kekJwk = { ...kek.publicKey.export({ format: 'jwk' }), kid: 'kek-1' };
  const policyOf = (conditions: object[]): Uint8Array =>
    Buffer.from(JSON.stringify({ version: '1.0.0', anyOf: [{ authority: issuer, allOf: conditions }] }));
  const mrenclave = 'ab'.repeat(32);
  const policy = policyOf([
    { claim: 'x-ms-sgx-mrenclave', equals: mrenclave },
    { claim: 'x-ms-sgx-is-debuggable', equals: 'false' },
    { claim: 'x-ms-sgx-svn', greaterOrEquals: 3 },
  ]);
  const claims = {
    'x-ms-sgx-mrenclave': mrenclave,
    'x-ms-sgx-is-debuggable': false,
    'x-ms-sgx-svn': 4,
    'x-ms-runtime': { keys: [{ ...kekJwk, key_use: 'enc' }] },
  };
  const tokenOf = (
    payload: JWTPayload,
    options: { key?: KeyObject; iss?: string; exp?: string } = {},
  ): Promise<string> =>
    new SignJWT(payload)
      .setProtectedHeader({ alg: 'RS256', kid: 'authority' })
      .setIssuer(options.iss ?? issuer)
      .setIssuedAt()
      .setExpirationTime(options.exp ?? '5m')
      .sign(options.key ?? signer.privateKey);

  beforeAll(async () => {
    fake.authorities.pin(issuer, {
      keys: [{ ...signer.publicKey.export({ format: 'jwk' }), kid: 'authority', alg: 'RS256' }] as never,
    });
    await clients.keys.createRsaKey('released', {
      hsm: true,
      keySize: 2048,
      exportable: true,
      releasePolicy: { encodedPolicy: policy },
    });
  });

  /** The unwrap of a client that knows nothing of the fake: AES-KWP and OAEP by their standards. */
  const unwrap = (
    jws: string,
    hash: string,
  ): {
    material: Buffer;
    payload: { request: Record<string, string>; response: { key: Record<string, unknown> } };
    header: Record<string, unknown>;
  } => {
    const [head = '', body = '', signature = ''] = jws.split('.');
    const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as { x5c: string[]; alg: string };
    const [leaf, root] = header.x5c.map(
      (der) => new X509Certificate(`-----BEGIN CERTIFICATE-----\n${der}\n-----END CERTIFICATE-----`),
    );
    expect(leaf!.verify(root!.publicKey) && leaf!.checkHost('hsm.vault.azure.net') !== undefined).toBe(true);
    expect(
      createVerify('sha256')
        .update(`${head}.${body}`)
        .verify(leaf!.publicKey, Buffer.from(signature, 'base64url')),
    ).toBe(true);
    const payload = JSON.parse(Buffer.from(body, 'base64url').toString());
    const keyHsm = JSON.parse(Buffer.from(payload.response.key.key.key_hsm, 'base64url').toString());
    expect(keyHsm).toMatchObject({
      schema_version: '1.0',
      header: { kid: 'kek-1', alg: 'dir', enc: 'CKM_RSA_AES_KEY_WRAP' },
    });
    const ciphertext = Buffer.from(keyHsm.ciphertext, 'base64url');
    const aesKey = privateDecrypt(
      { key: kek.privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: hash },
      ciphertext.subarray(0, 256),
    );
    const decipher = createDecipheriv('id-aes256-wrap-pad', aesKey, Buffer.from('A65959A6', 'hex'));
    return {
      material: Buffer.concat([decipher.update(ciphertext.subarray(256)), decipher.final()]),
      payload,
      header: { ...header },
    };
  };

  it.each([
    ['CKM_RSA_AES_KEY_WRAP', 'sha1'],
    ['RSA_AES_KEY_WRAP_256', 'sha256'],
    ['RSA_AES_KEY_WRAP_384', 'sha384'],
  ] as const)('releases in the documented format with %s', async (algorithm, hash) => {
    const { value } = await clients.keys.releaseKey('released', await tokenOf(claims), {
      algorithm,
      nonce: 'n-1',
    });
    const { material, payload, header } = unwrap(value, hash);
    const key = await clients.keys.getKey('released');
    expect(payload.request).toMatchObject({
      enc: algorithm,
      kid: key.id,
      nonce: 'n-1',
      'api-version': '2025-07-01',
    });
    expect(header['alg']).toBe('RS256');
    const released = createPublicKey(
      createPrivateKey({ key: material, format: 'der', type: 'pkcs8' }),
    ).export({ format: 'jwk' });
    expect(released.n).toBe(Buffer.from(key.key!.n!).toString('base64url'));
  });

  it('finds the key in held data as MarbleRun sends it', async () => {
    const held = Buffer.from(JSON.stringify({ keys: [{ ...kekJwk, key_ops: 'encrypt' }] })).toString(
      'base64url',
    );
    const { 'x-ms-runtime': _, ...rest } = claims;
    const { value } = await clients.keys.releaseKey(
      'released',
      await tokenOf({ ...rest, 'x-ms-sgx-ehd': held }),
    );
    expect(unwrap(value, 'sha1').material.length).toBeGreaterThan(1_000);
  });

  it('releases EC keys as PKCS#8 and symmetric keys as raw bytes', async () => {
    const releasePolicy = { encodedPolicy: policy };
    await clients.keys.createEcKey('released-ec', { hsm: true, exportable: true, releasePolicy });
    const ec = unwrap(
      (await clients.keys.releaseKey('released-ec', await tokenOf(claims))).value,
      'sha1',
    ).material;
    expect(createPrivateKey({ key: ec, format: 'der', type: 'pkcs8' }).asymmetricKeyDetails?.namedCurve).toBe(
      'prime256v1',
    );
    const k = randomBytes(32);
    await clients.keys.importKey('released-oct', { kty: 'oct-HSM', k, keyOps: ['encrypt'] } as never, {
      hardwareProtected: true,
      exportable: true,
      releasePolicy,
    });
    expect(
      unwrap((await clients.keys.releaseKey('released-oct', await tokenOf(claims))).value, 'sha1').material,
    ).toEqual(k);
  });

  const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const refused: [string, () => Promise<string>, RegExp][] = [
    [
      'another measurement',
      () => tokenOf({ ...claims, 'x-ms-sgx-mrenclave': 'cd'.repeat(32) }),
      /policy is not met/,
    ],
    ['a debug enclave', () => tokenOf({ ...claims, 'x-ms-sgx-is-debuggable': true }), /policy is not met/],
    ['too low a version', () => tokenOf({ ...claims, 'x-ms-sgx-svn': 2 }), /policy is not met/],
    ['an expired token', () => tokenOf(claims, { exp: '-1m' }), /exp/],
    ['a token signed by someone else', () => tokenOf(claims, { key: stranger }), /signature/],
    [
      'an issuer that cannot be reached',
      () => tokenOf(claims, { iss: 'https://127.0.0.1:1' }),
      /ECONNREFUSED/,
    ],
    [
      'no encryption key',
      () => tokenOf({ ...claims, 'x-ms-runtime': { keys: [{ ...kekJwk, key_use: 'sig' }] } }),
      /no RSA encryption key/,
    ],
    ['no token at all', () => Promise.resolve('nonsense'), /token/],
  ];
  it.each(refused)('refuses %s with the same 403, and keeps the reason', async (_, token, reason) => {
    const answer = await clients.keys.releaseKey('released', await token()).catch((error: unknown) => error);
    expect(answer).toMatchObject({
      statusCode: 403,
      message: 'Target environment attestation statement cannot be verified.',
    });
    expect(fake.releases.at(-1)).toMatchObject({ released: false, reason: expect.stringMatching(reason) });
  });

  it('releases an expired key, not a disabled one, and holds an immutable policy', async () => {
    const releasePolicy = { encodedPolicy: policy, immutable: true };
    const key = await clients.keys.createEcKey('fixed', {
      hsm: true,
      exportable: true,
      releasePolicy,
      expiresOn: new Date(Date.now() + 60_000),
    });
    fake.clock.advance(120_000);
    expect(await outcomeOf(clients.keys.releaseKey('fixed', await tokenOf(claims)))).toBe('no error');
    expect(
      await outcomeOf(
        clients.keys.updateKeyProperties('fixed', { releasePolicy: { encodedPolicy: policyOf([]) } }),
      ),
    ).toBe('400 BadParameter');
    await clients.keys.updateKeyProperties('fixed', key.properties.version!, { enabled: false });
    expect(await outcomeOf(clients.keys.releaseKey('fixed', await tokenOf(claims)))).toMatch(/^403/);
    expect(await outcomeOf(clients.keys.createEcKey('soft', { exportable: true, releasePolicy }))).toBe(
      '400 BadParameter',
    );
  });
});
