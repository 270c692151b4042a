import { describe, expect, it } from '@jest/globals';
import { SignedEvent, type AuditEvent } from '#contracts';
import canonicalize from 'canonicalize';
import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { eventId } from './event-id.js';
import { signedEntry } from './signing.js';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const key = { kid: 'k"1', sign: (data: Uint8Array): Buffer => sign(null, data, privateKey) };

const event: AuditEvent = {
  v: 1,
  id: eventId(1_700_000_000_000),
  tenant: 'default',
  time: '2026-01-02T03:04:05.678Z',
  type: 'service.stopped',
  outcome: 'ok',
  emitter: { name: 'key-release', instance: 'a', epoch: '0123456789abcdef', seq: 1 },
  data: { service: 'umlaut ä, "quotes" and \u2028' },
};

describe('signedEntry', () => {
  it('is the canonical JSON of event, kid and sig', () => {
    const entry = signedEntry(event, key);
    const parsed: unknown = JSON.parse(entry.toString('utf8'));
    expect(SignedEvent.parse(parsed).event).toEqual(event);
    expect(entry.toString('utf8')).toBe(canonicalize(parsed));
  });

  it('takes text that is not well-formed, which anybody may send, with replacement characters', () => {
    const told = { ...event, data: { service: 'a\ud800b' }, reason: { code: 'X', message: '\udc00' } };
    const { event: kept } = JSON.parse(signedEntry(told, key).toString('utf8')) as SignedEvent;
    expect(kept.data).toEqual({ service: 'a\ufffdb' });
    expect(kept.reason).toEqual({ code: 'X', message: '\ufffd' });
  });

  it('is signed over the canonical event', () => {
    const { event: signed, sig } = JSON.parse(signedEntry(event, key).toString('utf8')) as SignedEvent;
    expect(verify(null, Buffer.from(canonicalize(signed)!), publicKey, Buffer.from(sig, 'base64url'))).toBe(
      true,
    );
    const other = { ...signed, tenant: 'other' };
    expect(verify(null, Buffer.from(canonicalize(other)!), publicKey, Buffer.from(sig, 'base64url'))).toBe(
      false,
    );
  });
});

describe('eventId', () => {
  it('is a UUID of version 7 that carries its time', () => {
    const id = eventId(0x0123456789ab);
    expect(id).toMatch(/^01234567-89ab-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it('sorts by time and does not repeat', () => {
    const ids = Array.from({ length: 1_000 }, (_unused, at) => eventId(1_700_000_000_000 + at));
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(Array.from({ length: 1_000 }, () => eventId(1))).size).toBe(1_000);
  });
});
