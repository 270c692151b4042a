import { type ErrorCode, SiegelError } from '#contracts';
import { isPkiError } from '#pki';
import { isVaultError, type VaultError, type VaultErrorCode } from '#vault';

/**
 * What the caller is told for each code of a vault. A refusal about the object is a denial (403) and goes to the log with the vault's
 * own code; everything that is about the vault or about this service's identity is an outage (503): nothing was decided.
 */
export const VAULT_ANSWERS: Readonly<Record<VaultErrorCode, ErrorCode>> = {
  SECRET_NOT_FOUND: 'SECRET_NOT_FOUND',
  SECRET_DELETED: 'SECRET_NOT_FOUND',
  KEY_NOT_FOUND: 'SECRET_NOT_FOUND',
  VAULT_UNKNOWN: 'SECRET_NOT_FOUND',
  SECRET_DISABLED: 'SECRET_UNUSABLE',
  SECRET_NOT_YET_VALID: 'SECRET_UNUSABLE',
  SECRET_EXPIRED: 'SECRET_UNUSABLE',
  SECRET_NAME_INVALID: 'SECRET_UNUSABLE',
  SECRET_VERSION_INVALID: 'SECRET_UNUSABLE',
  SECRET_TOO_LARGE: 'SECRET_UNUSABLE',
  SECRET_CONTENT_INVALID: 'SECRET_UNUSABLE',
  SECRET_TAMPERED: 'SECRET_UNUSABLE',
  CERTIFICATE_NOT_EXPORTABLE: 'SECRET_UNUSABLE',
  KEY_OPERATION_REFUSED: 'SECRET_UNUSABLE',
  VAULT_FORBIDDEN: 'VAULT_DENIED',
  VAULT_FIREWALL: 'VAULT_DENIED',
  VAULT_UNAUTHENTICATED: 'VAULT_DENIED',
  VAULT_WRONG_TENANT: 'VAULT_DENIED',
  VAULT_IDENTITY_REFUSED: 'VAULT_DENIED',
  VAULT_TLS_UNTRUSTED: 'VAULT_DENIED',
  VAULT_MISCONFIGURED: 'VAULT_DENIED',
  VAULT_REFUSED: 'VAULT_DENIED',
  VAULT_THROTTLED: 'VAULT_THROTTLED',
  VAULT_BUDGET_EXHAUSTED: 'VAULT_THROTTLED',
  VAULT_IDENTITY_UNAVAILABLE: 'VAULT_UNAVAILABLE',
  VAULT_UNAVAILABLE: 'VAULT_UNAVAILABLE',
  VAULT_UNREACHABLE: 'VAULT_UNAVAILABLE',
  VAULT_CIRCUIT_OPEN: 'VAULT_UNAVAILABLE',
  VAULT_ABORTED: 'VAULT_UNAVAILABLE',
  VAULT_LOCKED: 'VAULT_UNAVAILABLE',
  VAULT_CORRUPT: 'VAULT_UNAVAILABLE',
  VAULT_KEY_INVALID: 'VAULT_UNAVAILABLE',
  VAULT_CLOSED: 'SHUTTING_DOWN',
};

/** The vault's failure in the vocabulary of this service; `reason` is for the operator and names the request in the vault's own log. */
export function refusalOf(error: VaultError, object: string): SiegelError {
  const { objectVersion, requestId } = error.details;
  const named = [
    ...(objectVersion === undefined ? [] : [`version ${objectVersion}`]),
    ...(requestId === undefined ? [] : [`x-ms-request-id ${requestId}`]),
  ];
  const where = named.length === 0 ? '' : ` (${named.join(', ')})`;
  const room = 1_000 - where.length;
  const reason = {
    code: error.code,
    message: `${`${object}: ${error.message}`.slice(0, room)}${where}`,
  };
  return new SiegelError(VAULT_ANSWERS[error.code], { reason, cause: error });
}

/**
 * A signature that a vault's key did not give. Whatever the vault says of its key, it is this service that cannot work: an outage, never
 * a denial. Everything else passes as it is.
 */
export function signerRefusal(error: unknown): unknown {
  if (isPkiError(error, 'SIGNING_KEY_MISSING'))
    return new SiegelError('VAULT_UNAVAILABLE', {
      reason: { code: error.code, message: error.message },
      cause: error,
    });
  if (!isPkiError(error, 'SIGNER_FAILED') || !isVaultError(error.cause)) return error;
  const told = refusalOf(error.cause, 'signing key');
  if (told.code === 'VAULT_THROTTLED' || told.code === 'VAULT_UNAVAILABLE' || told.code === 'SHUTTING_DOWN')
    return told;
  return new SiegelError('VAULT_DENIED', {
    ...(told.reason ? { reason: told.reason } : {}),
    cause: error.cause,
  });
}
