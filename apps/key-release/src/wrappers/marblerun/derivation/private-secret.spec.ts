import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { derivePrivateSecret, MAX_DERIVED_BYTES } from './private-secret.js';
import { canonicalUuid, UuidError } from './uuid.js';

const FILE = join(process.cwd(), '..', 'shared', 'vectors', 'marblerun', 'crypto-vectors.json');
interface Case {
  marbleType: string;
  uuid: string;
  secretName: string;
  disableSecretBinding: boolean;
  length: number;
  deliveredHex: string;
}
const recorded = existsSync(FILE)
  ? (JSON.parse(readFileSync(FILE, 'utf8')) as { hkdf: { rootSecretHex: string; cases: Case[] } }).hkdf
  : undefined;
if (!recorded) console.warn(`no vectors at ${FILE}: derivations are not compared with upstream's`);

const OWN = {
  rootSecret: Buffer.alloc(32, 1),
  uuid: '11111111-2222-4333-8444-555555555555',
  secretName: 'key',
  marbleType: 'a',
  unbound: false,
  length: 16,
};

describe('private symmetric secrets', () => {
  (recorded
    ? it.each(recorded.cases)
    : it.skip.each([{ marbleType: 'no vectors', uuid: '', secretName: '' } as Case]))(
    '$marbleType $uuid $secretName: what upstream delivered',
    ({ uuid, disableSecretBinding, deliveredHex, ...names }) => {
      const rootSecret = Buffer.from(recorded!.rootSecretHex, 'hex');
      const derived = derivePrivateSecret({
        ...names,
        rootSecret,
        uuid: canonicalUuid(uuid),
        unbound: disableSecretBinding,
      });
      expect(derived.toString('hex')).toBe(deliveredHex);
    },
  );

  it('depend on the root secret, the UUID, the name, and the type unless that is switched off', () => {
    const base = derivePrivateSecret(OWN);
    const changes = [
      { rootSecret: Buffer.alloc(32, 2) },
      { uuid: '11111111-2222-4333-8444-555555555556' },
      { secretName: 'yek' },
      { marbleType: 'b' },
      { unbound: true },
    ];
    for (const change of changes) expect(derivePrivateSecret({ ...OWN, ...change }).equals(base)).toBe(false);
    const unbound = { ...OWN, unbound: true };
    expect(derivePrivateSecret({ ...unbound, marbleType: 'b' })).toEqual(derivePrivateSecret(unbound));
    expect(derivePrivateSecret({ ...OWN, length: MAX_DERIVED_BYTES })).toHaveLength(MAX_DERIVED_BYTES);
  });
});

describe('the UUID of an activation', () => {
  const CANONICAL = 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee';
  it.each([
    CANONICAL,
    CANONICAL.toUpperCase(),
    `urn:uuid:${CANONICAL}`,
    `URN:UUID:${CANONICAL}`,
    `{${CANONICAL}}`,
    CANONICAL.replaceAll('-', ''),
  ])('%s', (text) => {
    expect(canonicalUuid(text)).toBe(CANONICAL);
  });

  it.each([
    ['not-a-uuid', 'invalid UUID length: 10'],
    ['', 'invalid UUID length: 0'],
    [`uri:uuid:${CANONICAL}`, 'invalid urn prefix: "uri:uuid:"'],
    [`(${CANONICAL})`, 'invalid bracketed UUID format'],
    [CANONICAL.replace('a', 'g'), 'invalid UUID format'],
    [CANONICAL.replace('-', '_'), 'invalid UUID format'],
    ['z'.repeat(32), 'invalid UUID format'],
    [`${'a'.repeat(30)}ä`, 'invalid UUID format'],
  ])('refuses %j', (text, message) => {
    expect(() => canonicalUuid(text)).toThrow(new UuidError(message));
  });
});
