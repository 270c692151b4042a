import { VaultError, type VaultErrorDetails } from './errors.js';

interface Window {
  readonly enabled: boolean;
  readonly notBefore?: Date | undefined;
  readonly expiresOn?: Date | undefined;
}

/**
 * Enforces what Key Vault only records: GET answers before `nbf` and after `exp` (azure.md §1.9).
 * `nbf` is inclusive, `exp` exclusive, both in whole seconds as the vault stores them.
 * @throws VaultError SECRET_DISABLED, SECRET_NOT_YET_VALID, SECRET_EXPIRED
 */
export function checkWindow(
  object: Window,
  at: number,
  what: string,
  details: VaultErrorDetails,
  allowExpired = false,
): void {
  if (!object.enabled) throw new VaultError('SECRET_DISABLED', `${what} is disabled`, details);
  if (object.notBefore !== undefined && at < object.notBefore.getTime()) {
    throw new VaultError(
      'SECRET_NOT_YET_VALID',
      `${what} is not valid before ${object.notBefore.toISOString()}`,
      details,
    );
  }
  if (!allowExpired && object.expiresOn !== undefined && at >= object.expiresOn.getTime()) {
    throw new VaultError('SECRET_EXPIRED', `${what} expired at ${object.expiresOn.toISOString()}`, details);
  }
}
