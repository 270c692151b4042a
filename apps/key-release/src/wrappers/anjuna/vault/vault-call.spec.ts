import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { vaultCallOf } from './vault-call.js';

const call = (method: string, path: string) => vaultCallOf(method, `/vault/v1/${path}`);

describe('calls of the API of Vault', () => {
  it.each([
    ['GET', 'prod/db-password', { kind: 'read', engine: 1, vault: 'prod', name: 'db-password' }],
    ['GET', 'prod/data/db_password', { kind: 'read', engine: 2, vault: 'prod', name: 'db_password' }],
    ['GET', 'prod/data/x?version=0', { kind: 'read', engine: 2, vault: 'prod', name: 'x' }],
    // A secret may be called so; engine 2 has a name behind it.
    ['GET', 'prod/data', { kind: 'read', engine: 1, vault: 'prod', name: 'data' }],
    ['HEAD', 'sys/health?standbyok=true', { kind: 'health' }],
    ['GET', 'sys/seal-status', { kind: 'seal-status' }],
    ['PUT', 'auth/siegel/login', { kind: 'login' }],
    ['GET', 'auth/token/lookup-self', { kind: 'lookup-self' }],
    ['PUT', 'auth/token/renew-self', { kind: 'renew-self' }],
    ['GET', 'sys/internal/ui/mounts/prod/db-password', { kind: 'mount', vault: 'prod' }],
  ])('%s %s', (method, path, expected) => {
    expect(call(method, path)).toEqual(expected);
  });

  it.each([
    ['GET', 'auth/siegel/login', 'VAULT_PATH_UNKNOWN'],
    ['GET', 'auth/token', 'VAULT_PATH_UNKNOWN'],
    ['GET', 'sys/data/x', 'VAULT_PATH_UNKNOWN'],
    ['GET', 'cubbyhole/x', 'VAULT_PATH_UNKNOWN'],
    ['GET', 'sys/internal/ui/mounts/sys', 'VAULT_PATH_UNKNOWN'],
    ['POST', 'prod/x', 'VAULT_READ_ONLY'],
    ['PATCH', 'prod/data/x', 'VAULT_READ_ONLY'],
    ['DELETE', 'prod/data/x', 'VAULT_READ_ONLY'],
    ['GET', 'prod/metadata?list=true', 'VAULT_READ_ONLY'],
    ['GET', 'prod', 'VAULT_PATH_UNKNOWN'],
    ['GET', 'prod/metadata/x', 'VAULT_PATH_UNKNOWN'],
    ['GET', 'prod/data/x/y', 'VAULT_PATH_UNKNOWN'],
    ['GET', 'prod/../x', 'VAULT_PATH_UNKNOWN'],
    ['GET', 'prod/%64ata/x', 'VAULT_PATH_UNKNOWN'],
    ['GET', 'PROD/x', 'VAULT_PATH_UNKNOWN'],
    ['GET', `prod/${'x'.repeat(2_000)}`, 'VAULT_PATH_UNKNOWN'],
    ['GET', 'prod/data/x?version=2', 'VAULT_VERSION_UNKNOWN'],
  ])('%s %s is refused', (method, path, code) => {
    expect(call(method, path)).toMatchObject({ kind: 'refused', code });
  });

  it('whatever is asked for: a read names one vault and one object, in their alphabets', () => {
    fc.assert(
      fc.property(fc.constantFrom('GET', 'POST', 'LIST'), fc.string(), fc.string(), (method, a, b) => {
        const found = call(method, `${a}/${b}`);
        if (found.kind !== 'read') return;
        expect(method).toBe('GET');
        expect(found.vault).toMatch(/^[a-z0-9-]+$/);
        expect(found.name).toMatch(/^[A-Za-z0-9_.-]+$/);
      }),
      { numRuns: 200 },
    );
  });
});
