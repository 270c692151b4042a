import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  constants,
  generateKeyPairSync,
  hash,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
  sign,
  createPublicKey,
} from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ManifestConfig } from '../interface.js';
import { keyIdOf } from '../state/sealed-form.js';
import { RecoverySession } from './recovery-session.js';
import { combineShares, recoveryKey, type RecoverySetup, setUpRecovery } from './recovery-shares.js';
import { combineShamir, splitShamir } from './shamir.js';

const VECTORS = join(process.cwd(), '../shared/vectors/marblerun');
const recorded = existsSync(VECTORS) ? it : it.skip;

describe('Shamir', () => {
  it('any threshold of shares gives the secret, one fewer does not', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 16, maxLength: 48 }),
        fc.integer({ min: 2, max: 8 }),
        fc.integer({ min: 0, max: 6 }),
        fc.infiniteStream(fc.nat()),
        (secret, threshold, more, random) => {
          const shares = splitShamir(secret, threshold + more, threshold);
          const shuffled = shares
            .map((share) => ({ share, key: random.next().value as number }))
            .sort((a, b) => a.key - b.key)
            .map(({ share }) => share);
          expect(combineShamir(shuffled.slice(0, threshold))).toEqual(Buffer.from(secret));
          expect(combineShamir(shuffled.slice(0, Math.max(threshold, shuffled.length - 1)))).toEqual(
            Buffer.from(secret),
          );
          if (threshold > 2)
            expect(combineShamir(shuffled.slice(0, threshold - 1))).not.toEqual(Buffer.from(secret));
          expect(new Set(shares.map((share) => share.at(-1))).size).toBe(shares.length);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('refuses what cannot be shares', () => {
    const [a, b] = splitShamir(randomBytes(32), 3, 2) as [Buffer, Buffer];
    expect(() => combineShamir([a])).toThrow(RangeError);
    expect(() => combineShamir([a, a])).toThrow(RangeError);
    expect(() => combineShamir([a, b.subarray(1)])).toThrow(RangeError);
    const zero = Buffer.from(b);
    zero[zero.length - 1] = 0;
    expect(() => combineShamir([a, zero])).toThrow(RangeError);
    for (const [count, threshold] of [
      [3, 1],
      [2, 3],
      [256, 2],
    ] as const)
      expect(() => splitShamir(randomBytes(4), count, threshold)).toThrow(RangeError);
  });

  recorded("combines upstream's shares, in every scheme", () => {
    const { recovery } = JSON.parse(readFileSync(join(VECTORS, 'crypto-vectors.json'), 'utf8')) as {
      recovery: Record<
        string,
        { scheme: string; encryptionKeyHex: string; secretsHex: Record<string, string> }
      >;
    };
    expect(Object.keys(recovery)).toHaveLength(5);
    for (const { scheme, encryptionKeyHex, secretsHex } of Object.values(recovery)) {
      const shares = Object.values(secretsHex).map((hex) => Buffer.from(hex, 'hex'));
      const kind = /^[a-z]+/.exec(scheme)![0] as 'direct' | 'xor' | 'shamir';
      const used = kind === 'shamir' ? shares.slice(1) : shares;
      expect(combineShares(kind, used).toString('hex')).toBe(encryptionKeyHex);
    }
  });
});

const names = ['recA', 'recB', 'recC'] as const;
const keyPairs = names.map(() => generateKeyPairSync('rsa', { modulusLength: 2_048 }));
const pems = new Map(
  names.map((name, at) => [
    name as string,
    keyPairs[at]!.publicKey.export({ format: 'pem', type: 'spki' }) as string,
  ]),
);
const set = (count: number, recoveryThreshold = 0): RecoverySetup =>
  setUpRecovery({
    recoveryKeys: new Map([...pems].slice(0, count)),
    config: { recoveryThreshold } as ManifestConfig,
  });
const shareOf = (setup: RecoverySetup, at: number): Buffer =>
  privateDecrypt(
    { key: keyPairs[at]!.privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
    setup.secrets.get(names[at]!)!,
  );
const signed = (share: Buffer, at: number): Buffer => sign('sha256', share, keyPairs[at]!.privateKey);
const INVALID = 'uploaded an invalid or already used secret';

describe('a recovery', () => {
  it('by one key: the sealing key itself', async () => {
    const setup = set(1);
    const share = shareOf(setup, 0);
    expect(setup.meta).toMatchObject({ scheme: 'direct', threshold: 1, keyId: keyIdOf(share) });
    const accepted = await new RecoverySession(setup.meta).add(share, signed(share, 0));
    expect(accepted).toEqual({ name: 'recA', remaining: 0, key: setup.key });
  });

  it('by all of several: counts down, in any order, each share once', async () => {
    const setup = set(3);
    expect(setup.meta.scheme).toBe('xor');
    const session = new RecoverySession(setup.meta);
    const add = (at: number) => session.add(shareOf(setup, at), signed(shareOf(setup, at), at));
    expect((await add(2)).remaining).toBe(2);
    await expect(add(2)).rejects.toThrow(INVALID);
    expect((await add(0)).remaining).toBe(1);
    expect((await add(1)).key).toEqual(setup.key);
  });

  it('by some of several: counts from the number of keys', async () => {
    const setup = set(3, 2);
    expect(setup.meta.scheme).toBe('shamir');
    const session = new RecoverySession(setup.meta);
    const add = (at: number) => session.add(shareOf(setup, at), signed(shareOf(setup, at), at));
    expect((await add(1)).remaining).toBe(2);
    expect(await add(2)).toEqual({ name: 'recC', remaining: 0, key: setup.key });
    expect(set(3, 3).meta.scheme).toBe('xor');
  });

  it('is spoilt by nothing that an outsider sends', async () => {
    const setup = set(2);
    const session = new RecoverySession(setup.meta);
    const [a, b] = [shareOf(setup, 0), shareOf(setup, 1)];
    await session.add(a, signed(a, 0));
    await expect(session.add(randomBytes(32), signed(b, 1))).rejects.toThrow(INVALID);
    await expect(session.add(randomBytes(33), Buffer.alloc(0))).rejects.toThrow(INVALID);
    await expect(session.add(b, signed(b, 0))).rejects.toThrow(
      'no matching recovery key found for recovery public key "recB"',
    );
    await expect(session.add(b, Buffer.alloc(0))).rejects.toThrow('no matching recovery key');
    await expect(session.add(Buffer.alloc(31), signed(b, 1))).rejects.toThrow('ephemeral secret key not set');
    expect((await session.add(b, signed(b, 1))).key).toEqual(setup.key);
  });

  it('takes secrets that are encrypted to its ephemeral key, signed in the clear', async () => {
    const setup = set(1);
    const share = shareOf(setup, 0);
    const session = new RecoverySession(setup.meta);
    const der = await session.ephemeralKey();
    expect(await session.ephemeralKey()).toEqual(der);
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
    expect(key.asymmetricKeyDetails?.modulusLength).toBe(4_096);
    const encrypted = publicEncrypt(
      { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
      share,
    );
    await expect(session.add(randomBytes(512), signed(share, 0))).rejects.toThrow(
      'crypto/rsa: decryption error',
    );
    expect((await session.add(encrypted, signed(share, 0))).key).toEqual(setup.key);
  }, 30_000);

  it('tells of no share but its hash, and of no key but the public ones', () => {
    const setup = set(3, 2);
    const meta = JSON.stringify(setup.meta);
    for (const at of [0, 1, 2]) {
      const share = shareOf(setup, at);
      expect(share).toHaveLength(33);
      expect(meta).not.toContain(share.toString('hex'));
      expect(setup.meta.shares[hash('sha256', share, 'hex')]).toBe(names[at]);
    }
  });

  it.each([
    ['', 'given PEM data is not a public key'],
    ['-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', 'given PEM data is not a public key'],
    [pemOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey), 'recovery keys must be RSA keys'],
    [pemOf(generateKeyPairSync('rsa', { modulusLength: 1_024 }).publicKey), 'must have 2048 bits'],
    [
      pemOf(generateKeyPairSync('rsa', { modulusLength: 2_048 }).publicKey).replaceAll('PUBLIC', 'PRIVATE'),
      'not a public key',
    ],
  ])('refuses a recovery key that is none', (pem, message) => {
    expect(() => recoveryKey(pem)).toThrow(message);
  });

  recorded('of a recorded deployment: its shares and signatures are accepted', async () => {
    const { deployments, exchanges } = JSON.parse(
      readFileSync(join(VECTORS, 'rest-recovery-transcript.json'), 'utf8'),
    ) as {
      deployments: Record<
        string,
        { recoveryKeys: string[]; dekHex: string; shareSha256Hex: Record<string, string> }
      >;
      exchanges: { context: string; request: { path: string; body?: string } }[];
    };
    const identities = JSON.parse(readFileSync(join(VECTORS, 'test-identities.json'), 'utf8')) as {
      recoveryKeys: Record<string, { publicKey: string }>;
    };
    const { recoveryKeys, dekHex, shareSha256Hex } = deployments['shamir-2-of-3-clean']!;
    const session = new RecoverySession({
      v: 1,
      keyId: keyIdOf(Buffer.from(dekHex, 'hex')),
      scheme: 'shamir',
      threshold: 2,
      shares: Object.fromEntries(Object.entries(shareSha256Hex).map(([name, id]) => [id, name])),
      keys: Object.fromEntries(recoveryKeys.map((name) => [name, identities.recoveryKeys[name]!.publicKey])),
    });
    const sent = exchanges.filter(
      ({ context, request }) =>
        context.startsWith('shamir-2-of-3-clean: sealing') && request.path === '/api/v2/recover',
    );
    expect(sent).toHaveLength(2);
    let key: Buffer | undefined;
    for (const { request } of sent) {
      const body = JSON.parse(request.body!) as { recoverySecret: string; recoverySecretSignature: string };
      ({ key } = await session.add(
        Buffer.from(body.recoverySecret, 'base64'),
        Buffer.from(body.recoverySecretSignature, 'base64'),
      ));
    }
    expect(key?.toString('hex')).toBe(dekHex);
  });
});

function pemOf(key: KeyObject): string {
  return key.export({ format: 'pem', type: 'spki' }) as string;
}
