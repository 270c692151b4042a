import { describe, expect, it } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import { TeeKey } from '../attest/tee-key.js';
import type { KbsSession } from './kbs-session.js';
import { repeatsNonce, SessionTickets } from './session-tickets.js';
import { SessionStore } from './session-store.js';

const now = new Date('2026-01-01T00:00:00Z');
const later = (seconds: number) => new Date(now.getTime() + seconds * 1_000);
const jwk = {
  ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }),
  alg: 'ECDH-ES+A256KW',
};
const session = (expiresAt: Date, tenant = 'default'): KbsSession => ({
  ...{ tenant, session: 's', workload: 'w', version: '0.4.0', attested: undefined, expiresAt },
  key: TeeKey.read(jwk, '0.4.0'),
});

describe('tickets', () => {
  const tickets = new SessionTickets(300);

  it('say again what they were made for, without memory', () => {
    const made = tickets.mint('default', '0.2.0', 'tdx', now);
    expect(made).toMatchObject({ version: '0.2.0', tee: 'tdx', expiresAt: later(300) });
    expect(made.id).toMatch(/^[0-9a-f]{32}$/);
    expect(made.nonce).toHaveLength(32);
    expect(tickets.open(made.id, 'default')).toEqual(made);
  });

  it('never repeat, and have another nonce for another tenant, id or process', () => {
    const made = Array.from({ length: 100 }, () => tickets.mint('default', '0.4.0', 'sgx', now));
    expect(new Set(made.map(({ id }) => id)).size).toBe(100);
    const [{ id, nonce }] = made as [(typeof made)[0]];
    const others = [
      tickets.open(id, 'other')!,
      tickets.open(
        id.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')),
        'default',
      )!,
    ];
    for (const other of others) expect(other.nonce).not.toEqual(nonce);
    expect(new SessionTickets(300).open(id, 'default')).toBeUndefined();
    expect(repeatsNonce(made[0]!, nonce.toString('base64'))).toBe(true);
    expect(repeatsNonce(others[0]!, nonce.toString('base64'))).toBe(false);
    expect(repeatsNonce(made[0]!, '')).toBe(false);
  });

  it('are none where version or kind of evidence does not exist', () => {
    for (const id of ['', 'ab', 'ff'.repeat(16), 'zz'.repeat(16)])
      expect(tickets.open(id, 'default')).toBeUndefined();
  });
});

describe('the store of sessions', () => {
  const tickets = new SessionTickets(60);
  const ticket = () => tickets.mint('default', '0.4.0', 'sgx', now);

  it('lets a ticket be claimed once', () => {
    const store = new SessionStore(10);
    const one = ticket();
    store.claim(one, now);
    expect(() => store.claim(one, later(30))).toThrow(
      expect.objectContaining({ code: 'CHALLENGE_REPLAYED' }),
    );
    expect(() => store.claim(ticket(), now)).not.toThrow();
  });

  it('finds a session until it expires, for its tenant alone', () => {
    const store = new SessionStore(10);
    store.open('a', session(later(60)));
    expect(store.find('a', 'default', later(59))).toBeDefined();
    expect(store.find('a', 'other', now)).toBeUndefined();
    expect(store.find('b', 'default', now)).toBeUndefined();
    expect(store.find('a', 'default', later(60))).toBeUndefined();
    expect(store.size).toBe(0);
  });

  it('holds so many and evicts none of them for a further one; what has expired makes room', () => {
    const store = new SessionStore(2);
    store.open('a', session(later(30)));
    store.open('b', session(later(60)));
    expect(() => store.claim(ticket(), now)).toThrow(expect.objectContaining({ code: 'OVERLOADED' }));
    expect(store.find('a', 'default', now)).toBeDefined();
    expect(() => store.claim(ticket(), later(30))).not.toThrow();
    expect(store.size).toBe(1);
  });
});
