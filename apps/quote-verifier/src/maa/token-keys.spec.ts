import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createPublicKey, verify, X509Certificate } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OVERLAP_MS, TokenKeys } from './token-keys.js';

// RSA keys take their time on a busy machine.
jest.setTimeout(60_000);

const DAY = 86_400_000;
const issuer = 'https://attest.example';

describe('TokenKeys', () => {
  let dir: string;
  let now: number;
  const open = (days = 30): Promise<TokenKeys> =>
    TokenKeys.open({ dir, issuer, days, clock: () => new Date(now) });
  const kids = (keys: TokenKeys): string[] => keys.published.map(({ kid }) => kid);

  beforeEach(() => {
    dir = join(mkdtempSync(join(tmpdir(), 'siegel-token-keys-')), 'keys');
    now = Date.parse('2026-11-23T12:34:56Z');
  });
  afterEach(() => rmSync(join(dir, '..'), { recursive: true }));

  it('makes an RSA key with its self-signed certificate, which signs', async () => {
    const { current } = await open();
    const { jwk } = current;
    expect(jwk).toMatchObject({ kty: 'RSA', use: 'sig', alg: 'RS256', kid: current.kid });
    const certificate = new X509Certificate(
      `-----BEGIN CERTIFICATE-----\n${jwk.x5c[0]}\n-----END CERTIFICATE-----`,
    );
    expect(certificate.subject).toBe(`CN=${issuer}`);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    const { kty, n, e } = jwk;
    const key = createPublicKey({ key: { kty, n, e }, format: 'jwk' });
    expect(key.asymmetricKeyDetails?.modulusLength).toBe(2048);
    expect(verify('sha256', Buffer.from('input'), key, await current.sign('input'))).toBe(true);
    const [file] = readdirSync(dir);
    expect(statSync(join(dir, file!)).mode & 0o777).toBe(0o600);
  });

  it('replicas that start at once agree on the key, and keep it over a restart', async () => {
    const [a, b] = await Promise.all([open(), open()]);
    expect(kids(a)).toEqual(kids(b));
    expect(kids(await open())).toEqual(kids(a));
  });

  it('rotate: published ahead, then signing, the former published until its last token has ended', async () => {
    const keys = await open();
    const replica = await open();
    const [first] = kids(keys);
    now += 28 * DAY - 3_600_000;
    await keys.maintain();
    expect(kids(keys)).toEqual([first]);
    now += 3_600_000;
    await Promise.all([keys.maintain(), replica.maintain()]);
    const [, second] = kids(keys);
    expect(kids(replica)).toEqual([first, second]);
    expect(keys.current.kid).toBe(first);
    now += 2 * DAY;
    await keys.maintain();
    expect(keys.current.kid).toBe(second);
    expect(kids(keys)).toEqual([first, second]);
    now += OVERLAP_MS;
    expect(kids(keys)).toEqual([second]);
    now += 8 * DAY;
    await keys.maintain();
    expect(readdirSync(dir)).toHaveLength(1);
  });

  it('publish the next key before it signs even after a long stop', async () => {
    const keys = await open();
    const [first] = kids(keys);
    now += 400 * DAY;
    const later = await open();
    expect(kids(later)).toHaveLength(2);
    expect(later.current.kid).toBe(first);
    now += 2 * DAY + 1_000;
    expect(later.current.kid).not.toBe(first);
  });

  it('never rotate where the days are 0', async () => {
    const keys = await open(0);
    now += 3_000 * DAY;
    await keys.maintain();
    expect(kids(keys)).toHaveLength(1);
  });

  it('refuse a key that others may read', async () => {
    await open();
    chmodSync(join(dir, readdirSync(dir)[0]!), 0o644);
    await expect(open()).rejects.toMatchObject({ code: 'KEY_FILE_PERMISSIONS' });
  });
});
