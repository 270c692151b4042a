import { SiegelError } from '#contracts';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { generateKeyPairSync } from 'node:crypto';
import { TestEmitter } from '../../../../test/audit-deployment.js';
import type { Anomaly } from '../sequencing/anomalies.js';
import { EventIntake } from './event-intake.js';

const keys = generateKeyPairSync('ed25519');
const key = { kid: 'emitter-key', ...keys };
const emitter = new TestEmitter(key);

function intake(): { accept: (bytes: Uint8Array) => string; forged: Anomaly[]; intake: EventIntake } {
  const forged: Anomaly[] = [];
  const emitters = new Map([[key.kid, { name: 'key-release', key: key.publicKey }]]);
  const subject = new EventIntake(emitters, new Set(['default']), (anomaly) => forged.push(anomaly));
  const accept = (bytes: Uint8Array): string => {
    try {
      subject.accept(bytes);
      return 'accepted';
    } catch (error) {
      if (error instanceof SiegelError) return error.code;
      throw error;
    }
  };
  return { accept, forged, intake: subject };
}

describe('the intake', () => {
  it('takes a signed event and gives the leaf, whatever the order and spacing of its members', () => {
    const { entry, seq } = emitter.event();
    const expected = { tenant: 'default', emitter: 'key-release', epoch: emitter.epoch, seq };
    const { intake: subject } = intake();
    expect(subject.accept(entry)).toMatchObject(expected);
    const { event, kid, sig } = JSON.parse(entry.toString()) as Record<string, object>;
    const reordered = { sig, kid, event: Object.fromEntries(Object.entries(event!).reverse()) };
    const accepted = subject.accept(Buffer.from(JSON.stringify(reordered, undefined, 2)));
    expect(Buffer.from(accepted.entry).equals(entry)).toBe(true);
  });

  it('refuses every event with one bit changed, and never fails otherwise', () => {
    const { entry } = emitter.event();
    const { accept } = intake();
    fc.assert(
      fc.property(fc.integer({ min: 0, max: entry.length * 8 - 1 }), (bit) => {
        const changed = Buffer.from(entry);
        changed[bit >> 3]! ^= 1 << (bit & 7);
        expect(accept(changed)).toMatch(/^AUDIT_(?:EVENT_INVALID|EMITTER_UNKNOWN|SIGNATURE_INVALID)$/);
      }),
      { numRuns: 500 },
    );
  });

  it('refuses a second spelling of a signature, which would be a second leaf of one event', () => {
    const text = emitter.event().entry.toString();
    const at = text.length - 3;
    const last = text[at]!;
    // The last character of 86 carries four bits that are not part of the 64 bytes.
    const twin = String.fromCharCode(last.charCodeAt(0) + 1);
    const other = `${text.slice(0, at)}${twin}${text.slice(at + 1)}`;
    expect(Buffer.from(other.slice(at - 85, at + 1), 'base64url')).toEqual(
      Buffer.from(text.slice(at - 85, at + 1), 'base64url'),
    );
    expect(intake().accept(Buffer.from(other))).toBe('AUDIT_SIGNATURE_INVALID');
  });

  it('tells of forgeries, not of noise', () => {
    const { accept, forged } = intake();
    expect(accept(Buffer.from('noise'))).toBe('AUDIT_EVENT_INVALID');
    expect(forged).toEqual([]);
    const impostor = new TestEmitter({ ...key, privateKey: generateKeyPairSync('ed25519').privateKey });
    expect(accept(impostor.event().entry)).toBe('AUDIT_SIGNATURE_INVALID');
    expect(accept(new TestEmitter(key, 'audit').event().entry)).toBe('AUDIT_EMITTER_UNKNOWN');
    expect(forged.map(({ kind, emitter: name }) => [kind, name])).toEqual([
      ['forged', 'key-release'],
      ['forged', 'audit'],
    ]);
  });

  it('tells of a forgery in text that can be written into the log, whatever the forgery holds', () => {
    const { accept, forged } = intake();
    const { event } = JSON.parse(emitter.event().entry.toString()) as { event: { emitter: object } };
    const named = { ...event, emitter: { ...event.emitter, name: 'x\ud800', epoch: '\udc00'.repeat(16) } };
    const body = JSON.stringify({ event: named, kid: 'nobody', sig: 'A'.repeat(86) });
    expect(accept(Buffer.from(body))).toBe('AUDIT_EMITTER_UNKNOWN');
    expect(forged).toMatchObject([{ emitter: 'x\ufffd', epoch: '\ufffd'.repeat(16) }]);
  });

  it('records a forgery that names a tenant without a log as one of a tenant with a log', () => {
    const { accept, forged } = intake();
    accept(new TestEmitter(key, 'audit').event({ tenant: 'nobody' }).entry);
    expect(forged).toMatchObject([{ kind: 'forged', tenant: 'default' }]);
  });
});
