import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CertifiedKeys } from './certified-keys.js';
import { fromPem, toPem } from './certificate-pem.js';
import { LocalSigner } from './signer.js';
import type { Signer } from './signer.js';
import { checkTokenChain, createTokenCertificate } from './token-certificate.js';

const START = Date.parse('2026-11-23T12:00:00Z');
const HOUR = 3_600_000;
const at = (hours: number): Date => new Date(START + hours * HOUR);

let dir: string;
let certifier: Signer;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'siegel-certified-'));
  certifier = LocalSigner.generate('ES256');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const open = (now: Date, by: () => Signer = () => certifier): Promise<CertifiedKeys> =>
  CertifiedKeys.open({ dir, certifier: by, keySeconds: 24 * 3_600, publishAheadSeconds: 600, now });
const keyFiles = (): string[] => readdirSync(dir).filter((name) => name.endsWith('.certified.pem'));
/** A certifier that is out of reach. */
const unreachable = (): Signer => ({
  kid: certifier.kid,
  alg: 'ES256',
  publicKey: certifier.publicKey,
  jwk: () => certifier.jwk(),
  sign: () => Promise.reject(new Error('unreachable')),
});

describe('CertifiedKeys', () => {
  it('keeps keys and chains in files that the owner alone can read, and takes them up again', async () => {
    const first = await open(at(0));
    const { kid } = first.keys.current(at(0));
    for (const name of readdirSync(dir)) expect(statSync(join(dir, name)).mode & 0o077).toBe(0);
    const again = await open(at(1), unreachable);
    expect(again.keys.current(at(1)).kid).toBe(kid);
    expect(again.rootsPem()).toBe(first.rootsPem());
  });

  it('replicas that share the folder find the keys of each other, and keep one certificate of the certifier', async () => {
    const one = await open(at(0));
    const other = await open(at(0));
    await one.maintain(at(24));
    await other.maintain(at(24));
    expect(keyFiles()).toHaveLength(2);
    const kids = ({ keys }: CertifiedKeys) => keys.jwks(at(24)).keys.map(({ kid }) => kid);
    expect(kids(other)).toEqual(kids(one));
    expect(readdirSync(dir).filter((name) => name.endsWith('.certifier.pem'))).toHaveLength(1);
  });

  it('removes keys that verify nothing any more', async () => {
    const keys = await open(at(0));
    for (const hour of [23.9, 47.8, 71.7]) await keys.maintain(at(hour));
    expect(keyFiles()).toHaveLength(2);
  });

  it('does not make the first key without its certifier', async () => {
    await expect(open(at(0), unreachable)).rejects.toMatchObject({ code: 'SIGNER_FAILED' });
    expect(keyFiles()).toHaveLength(0);
  });

  it('opens without its certifier while a key is left, although the next one is due', async () => {
    const first = await open(at(0));
    const again = await open(at(25), unreachable);
    expect(again.keys.current(at(25)).kid).toBe(first.keys.current(at(0)).kid);
    await expect(again.maintain(at(25))).rejects.toMatchObject({ code: 'SIGNER_FAILED' });
  });

  it('starts again after an outage that was longer than any key', async () => {
    await open(at(0));
    const { keys } = await open(at(1_000));
    expect(keys.jwks(at(1_000)).keys).toHaveLength(1);
    expect(keys.current(at(1_000)).jwk().x5c).toHaveLength(2);
  });

  it.each([
    ['readable by others', (file: string) => chmodSync(file, 0o644), 'KEY_FILE_PERMISSIONS'],
    ['cut short', (file: string) => truncate(file, 200), 'KEY_FILE_INVALID'],
    [
      'without its key',
      (file: string) => edit(file, (pem) => pem.split('-----BEGIN PRIVATE')[0]!),
      'KEY_FILE_INVALID',
    ],
    [
      'with another key',
      (file: string) => edit(file, withKey(LocalSigner.generate('ES256'))),
      'KEY_FILE_INVALID',
    ],
    [
      'with one certificate',
      (file: string) => edit(file, (pem) => pem.slice(pem.indexOf('-----BEGIN', 5))),
      'KEY_FILE_INVALID',
    ],
  ])('refuses a file that is %s', async (_name, spoil, code) => {
    await open(at(0));
    spoil(join(dir, keyFiles()[0]!));
    await expect(open(at(0))).rejects.toMatchObject({ code });
  });
});

describe('the chain of a token key', () => {
  const key = LocalSigner.generate('ES256');
  const window = { notBefore: at(0), notAfter: at(1) };

  it('says until when it holds and whose it is, and gives no power to certify', async () => {
    const root = await createTokenCertificate({ certifier, notBefore: at(0), notAfter: at(2) });
    const leaf = await createTokenCertificate({ subject: key, certifier, ...window });
    expect(checkTokenChain(leaf, root, key)).toEqual({ notAfter: at(1), certifierKid: certifier.kid });
    const parsed = new X509Certificate(toPem('CERTIFICATE', leaf));
    expect(parsed.ca).toBe(false);
    expect(parsed.keyUsage ?? []).not.toContain('serverAuth');
    expect(parsed.subjectAltName).toBeUndefined();
  });

  it('does not hold for another key, under another certifier, or with a leaf as its root', async () => {
    const other = LocalSigner.generate('ES256');
    const root = await createTokenCertificate({ certifier, ...window });
    const leaf = await createTokenCertificate({ subject: key, certifier, ...window });
    const foreign = await createTokenCertificate({ certifier: other, ...window });
    for (const [chain, holder] of [
      [[leaf, root], other],
      [[leaf, foreign], key],
      [[leaf, leaf], key],
      [[root, root], certifier],
      [[Buffer.from('no certificate'), root], key],
    ] as const) {
      expect(() => checkTokenChain(chain[0], chain[1], holder)).toThrow(
        expect.objectContaining({ code: 'CA_STATE_INVALID' }),
      );
    }
    const ed = LocalSigner.generate('EdDSA');
    await expect(createTokenCertificate({ subject: ed, certifier, ...window })).rejects.toMatchObject({
      code: 'KEY_NOT_USABLE',
    });
  });
});

const edit = (file: string, change: (pem: string) => string): void =>
  writeFileSync(file, change(readFileSync(file, 'utf8')), { mode: 0o600 });
const truncate = (file: string, length: number): void => edit(file, (pem) => pem.slice(0, length));
const withKey = (signer: LocalSigner) => (pem: string) =>
  fromPem('CERTIFICATE', pem)!
    .map((der) => toPem('CERTIFICATE', der))
    .join('') + signer.toPem();
