import { describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { ChallengeMinter } from './challenge.js';
import { ReplayCache } from './replay-cache.js';

const NOW = new Date('2026-11-23T12:00:00Z');
const after = (ms: number): Date => new Date(NOW.getTime() + ms);
const key = randomBytes(32);
const minter = new ChallengeMinter({ keys: [key], ttlSeconds: 60 });

describe('ChallengeMinter', () => {
  it('accepts what it has minted, here or in another replica, and gives the bytes that evidence binds', () => {
    const { challenge, nonce, expiresAt } = minter.mint(NOW);
    expect(expiresAt).toEqual(after(60_000));
    expect(Buffer.from(challenge, 'base64url')).toEqual(nonce);
    expect(minter.check(challenge, after(59_999))).toEqual({ ok: true, nonce, expiresAt });
    expect(new ChallengeMinter({ keys: [key], ttlSeconds: 60 }).check(challenge, NOW)).toMatchObject({
      ok: true,
    });
  });

  it('never mints twice alike', () => {
    expect(new Set(Array.from({ length: 1000 }, () => minter.mint(NOW).challenge)).size).toBe(1000);
  });

  it('refuses by code: expired, from the future, forged, malformed, an unreadable clock', () => {
    const { challenge } = minter.mint(NOW);
    expect(minter.check(challenge, after(60_000))).toEqual({ ok: false, code: 'CHALLENGE_EXPIRED' });
    expect(minter.check(challenge, new Date(NaN))).toEqual({ ok: false, code: 'CHALLENGE_EXPIRED' });
    expect(minter.check(challenge, after(-5_000))).toMatchObject({ ok: true });
    expect(minter.check(challenge, after(-5_001))).toEqual({ ok: false, code: 'CHALLENGE_FROM_FUTURE' });
    const foreign = new ChallengeMinter({ keys: [randomBytes(32)], ttlSeconds: 60 }).mint(NOW).challenge;
    expect(minter.check(foreign, NOW)).toEqual({ ok: false, code: 'CHALLENGE_FORGED' });
    for (const bad of [
      '',
      'x',
      challenge.slice(1),
      `${challenge}A`,
      `${challenge.slice(0, -1)}=`,
      'é'.repeat(86),
      randomBytes(64).fill(9, 0, 1).toString('base64url'),
    ]) {
      expect(minter.check(bad, NOW)).toEqual({ ok: false, code: 'CHALLENGE_MALFORMED' });
    }
    expect(minter.check(undefined as unknown as string, NOW)).toEqual({
      ok: false,
      code: 'CHALLENGE_MALFORMED',
    });
  });

  it('refuses every changed bit', () => {
    const { nonce } = minter.mint(NOW);
    for (let bit = 0; bit < nonce.length * 8; bit += 1) {
      const changed = Buffer.from(nonce);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(minter.check(changed.toString('base64url'), NOW)).toEqual({
        ok: false,
        code: bit < 8 ? 'CHALLENGE_MALFORMED' : 'CHALLENGE_FORGED',
      });
    }
  });

  it('rotates its secrets with overlap', () => {
    const rotating = new ChallengeMinter({ keys: [key], ttlSeconds: 60 });
    const old = rotating.mint(NOW).challenge;
    const next = randomBytes(32);
    rotating.rotate([next, key]);
    expect(rotating.check(old, NOW)).toMatchObject({ ok: true });
    const fresh = rotating.mint(NOW).challenge;
    expect(minter.check(fresh, NOW)).toEqual({ ok: false, code: 'CHALLENGE_FORGED' });
    rotating.rotate([next]);
    expect(rotating.check(old, NOW)).toEqual({ ok: false, code: 'CHALLENGE_FORGED' });
    expect(rotating.check(fresh, NOW)).toMatchObject({ ok: true });
  });

  it('with a replay cache accepts each once, looks without using up, and fails closed when full', () => {
    const once = new ChallengeMinter({
      keys: [key],
      ttlSeconds: 60,
      replay: new ReplayCache({ maxEntries: 2 }),
    });
    const [a, b, c] = [once.mint(NOW).challenge, once.mint(NOW).challenge, once.mint(NOW).challenge];
    expect(once.check(a, NOW, { consume: false })).toMatchObject({ ok: true });
    expect(once.check(a, NOW)).toMatchObject({ ok: true });
    expect(once.check(a, NOW)).toEqual({ ok: false, code: 'CHALLENGE_REPLAYED' });
    expect(once.check(b, NOW)).toMatchObject({ ok: true });
    expect(once.check(c, NOW)).toEqual({ ok: false, code: 'CHALLENGE_CACHE_FULL' });
    // What does not verify takes no place.
    const roomy = new ReplayCache({ maxEntries: 2 });
    const guarded = new ChallengeMinter({ keys: [key], ttlSeconds: 60, replay: roomy });
    guarded.check(new ChallengeMinter({ keys: [randomBytes(32)], ttlSeconds: 60 }).mint(NOW).challenge, NOW);
    expect(roomy.size).toBe(0);
  });

  it('refuses weak or senseless settings', () => {
    const bad = [
      { keys: [], ttlSeconds: 60 },
      { keys: [randomBytes(31)], ttlSeconds: 60 },
      { keys: Array.from({ length: 9 }, () => randomBytes(32)), ttlSeconds: 60 },
      { keys: [key], ttlSeconds: 0 },
      { keys: [key], ttlSeconds: NaN },
      { keys: [key], ttlSeconds: 3601 },
      { keys: [key], ttlSeconds: 60, clockSkewSeconds: -1 },
    ];
    for (const options of bad)
      expect(() => new ChallengeMinter(options)).toThrow(
        expect.objectContaining({ code: 'SETTING_INVALID' }),
      );
  });
});
