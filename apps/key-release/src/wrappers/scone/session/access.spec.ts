import { scone } from '#policy';
import { describe, expect, it } from '@jest/globals';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { makeCertificate } from '../secrets/certificates.js';
import type { MadeSecret } from '../secrets/made-secret.js';
import { type AccessFacts, permits } from './access.js';
import { clientOf } from './client.js';

const KEY_HASH = '3s1pm8W6Be6cxvAQRbRP5YXd9YuERAr7KswN97uGtoPkRW87x1';
const NOW = new Date();

async function somebody(name: string) {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const secret = { name, kind: 'x509', migrate: false, san: [], exportPublic: false, exports: [] } as const;
  const pem = await makeCertificate(secret, privateKey, undefined, NOW);
  return { pem, client: clientOf(new X509Certificate(pem).raw, '127.0.0.1') };
}

function policyOf(text: string): scone.AccessPolicy {
  const read = scone.readSession(`name: a\nversion: 0.3\naccess_policy:\n  ${text}`);
  if (!read.ok) throw new Error(JSON.stringify(read.faults));
  return read.session.access;
}

describe('who may do what', () => {
  it('is the creator where nothing else is said, and nobody without a certificate', async () => {
    const [owner, other] = [await somebody('owner'), await somebody('other')];
    const facts: AccessFacts = { creator: owner.client.key!, secrets: {}, keyHashes: {} };
    const anonymous = clientOf(undefined, '127.0.0.1');
    for (const right of ['read', 'update', 'create_sessions', 'list_sessions'] as const) {
      expect(permits({}, right, owner.client, facts)).toBe(true);
      expect(permits({}, right, other.client, facts)).toBe(false);
      expect(permits({}, right, anonymous, facts)).toBe(false);
    }
  });

  it('follows the session', async () => {
    const [owner, other] = [await somebody('owner'), await somebody('other')];
    const pem = JSON.stringify(other.pem);
    const held: MadeSecret = { kind: 'x509', certificate: other.pem, issuers: [], privateKey: '' };
    const facts: AccessFacts = {
      creator: owner.client.key!,
      secrets: { held, text: { kind: 'ascii', text: 'ANY' } },
      keyHashes: { [KEY_HASH]: other.client.key! },
    };
    const may = (text: string, right: scone.AccessRight = 'update') =>
      [owner, other].map(({ client }) => permits(policyOf(text), right, client, facts));
    expect(may('update: [CREATOR]')).toEqual([true, false]);
    expect(may('update: [NONE]')).toEqual([false, false]);
    expect(may('read: ANY', 'read')).toEqual([true, true]);
    expect(may('read: ANY', 'update')).toEqual([true, false]);
    expect(may('update: ANY', 'create_sessions')).toEqual([true, true]);
    expect(may('read: ANY', 'list_sessions')).toEqual([true, true]);
    expect(may(`update: [${pem}]`)).toEqual([false, true]);
    expect(may(`update: [${KEY_HASH}]`)).toEqual([false, true]);
    expect(may('update: ["$$SCONE::held$$"]')).toEqual([false, true]);
    expect(may('update: ["$$SCONE::text$$", "$$SCONE::missing$$"]')).toEqual([false, false]);
    expect(may('update: [{ require-at-least-1: [CREATOR] }]')).toEqual([true, false]);
    expect(may(`update: [{ require-all: [CREATOR, ${pem}] }]`)).toEqual([false, false]);
    expect(permits({ reference: wholly() }, 'read', owner.client, facts)).toBe(false);
  });

  it('takes no key hash that nobody has mapped', async () => {
    const owner = await somebody('owner');
    const facts: AccessFacts = { creator: 'ab'.repeat(32), secrets: {}, keyHashes: {} };
    expect(permits(policyOf(`update: [${KEY_HASH}]`), 'update', owner.client, facts)).toBe(false);
  });
});

const wholly = () => scone.wholePlaceholder('$$SCONE::access$$')!;
