import { describe, expect, it } from '@jest/globals';
import type { SecretWorks } from '../interface.js';
import { readUpload, requireSound } from './manifest-intake.js';

const works = { dryRun: () => undefined } as unknown as SecretWorks;
const MANIFEST = {
  Packages: { app: { Debug: true, SignerID: 'ab'.repeat(32), ProductID: 1, SecurityVersion: 1 } },
  Marbles: { app: { Package: 'app' } },
  Secrets: { db: { Type: 'plain', Source: { vault: 'prod', objectName: 'db-password' } } },
};
const sound = (vaults: readonly string[], manifestChecks: 'strict' | 'upstream') =>
  requireSound(
    readUpload(Buffer.from(JSON.stringify(MANIFEST)), 'update'),
    'update',
    { manifestChecks, vaults },
    works,
  );

describe('a manifest that takes a secret from a vault', () => {
  it.each(['strict', 'upstream'] as const)('is sound (%s) where the operator opened that vault', (checks) => {
    expect(sound(['other', 'prod'], checks).secrets.has('db')).toBe(true);
  });

  it.each(['strict', 'upstream'] as const)(
    'is refused (%s) where not: its users are no administrators of the service',
    (checks) => {
      for (const vaults of [[], ['PROD'], ['other']])
        expect(() => sound(vaults, checks)).toThrow(
          'invalid manifest: secret db: the vault "prod" is not open to this deployment',
        );
    },
  );
});
