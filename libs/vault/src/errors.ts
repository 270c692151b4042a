/**
 * Everything that a secret source can answer besides a secret. The union is closed: callers map it to HTTP statuses,
 * audit reasons and operator messages, so a new code is a change of the public face.
 */
export type VaultErrorCode =
  | 'SECRET_NOT_FOUND'
  | 'SECRET_DISABLED'
  | 'SECRET_NOT_YET_VALID'
  | 'SECRET_EXPIRED'
  | 'SECRET_DELETED'
  | 'SECRET_NAME_INVALID'
  | 'SECRET_VERSION_INVALID'
  | 'SECRET_TOO_LARGE'
  | 'SECRET_CONTENT_INVALID'
  | 'SECRET_TAMPERED'
  | 'CERTIFICATE_NOT_EXPORTABLE'
  | 'KEY_NOT_FOUND'
  | 'KEY_OPERATION_REFUSED'
  | 'VAULT_UNKNOWN'
  | 'VAULT_FORBIDDEN'
  | 'VAULT_FIREWALL'
  | 'VAULT_UNAUTHENTICATED'
  | 'VAULT_WRONG_TENANT'
  | 'VAULT_IDENTITY_REFUSED'
  | 'VAULT_IDENTITY_UNAVAILABLE'
  | 'VAULT_THROTTLED'
  | 'VAULT_UNAVAILABLE'
  | 'VAULT_UNREACHABLE'
  | 'VAULT_TLS_UNTRUSTED'
  | 'VAULT_BUDGET_EXHAUSTED'
  | 'VAULT_CIRCUIT_OPEN'
  | 'VAULT_ABORTED'
  | 'VAULT_LOCKED'
  | 'VAULT_CORRUPT'
  | 'VAULT_KEY_INVALID'
  | 'VAULT_CLOSED'
  | 'VAULT_MISCONFIGURED'
  | 'VAULT_REFUSED';

interface VaultErrorMeaning {
  readonly meaning: string;
  /** What an operator does about it. */
  readonly remedy: string;
  /** The same request may succeed later without anyone changing anything. */
  readonly transient: boolean;
  /** The vault itself could not answer; a bounded-age cached value may stand in for it. */
  readonly outage: boolean;
}

const permanent = (meaning: string, remedy: string): VaultErrorMeaning => ({
  meaning,
  remedy,
  transient: false,
  outage: false,
});
const outage = (meaning: string, remedy: string): VaultErrorMeaning => ({
  meaning,
  remedy,
  transient: true,
  outage: true,
});

/** The catalogue: one meaning and one remedy for each code. */
export const VAULT_ERRORS: Readonly<Record<VaultErrorCode, VaultErrorMeaning>> = {
  SECRET_NOT_FOUND: permanent(
    'The vault holds no object of this name and version.',
    'Create it, or correct objectName/objectVersion in the manifest.',
  ),
  SECRET_DISABLED: permanent(
    'The version of the object is disabled.',
    'Enable it, or set a new version and let the manifest follow it.',
  ),
  SECRET_NOT_YET_VALID: permanent(
    'The not-before time of the object lies in the future.',
    "Wait until then, or correct the object's activation date.",
  ),
  SECRET_EXPIRED: permanent(
    'The expiry time of the object has passed.',
    'Set a new version; or, deliberately, allowExpired for this secret in the manifest.',
  ),
  SECRET_DELETED: permanent(
    'The object is soft-deleted.',
    'Recover it, or purge it and create it anew; the name stays taken until then.',
  ),
  SECRET_NAME_INVALID: permanent(
    'An object name has 1 to 127 characters out of 0-9, A-Z, a-z and "-".',
    'Correct objectName in the manifest.',
  ),
  SECRET_VERSION_INVALID: permanent(
    'An object version has 32 lower-case hexadecimal digits.',
    'Correct objectVersion in the manifest, or leave it out to follow the latest version.',
  ),
  SECRET_TOO_LARGE: permanent(
    'The value is above 25,600 bytes.',
    'Store a key in the vault and the bulk elsewhere, encrypted under that key.',
  ),
  SECRET_CONTENT_INVALID: permanent(
    'The value cannot be read as its content type says.',
    'Store PEM, or PKCS#12 with an empty password, or base64 with its content type.',
  ),
  SECRET_TAMPERED: permanent(
    'A stored record does not authenticate under the vault key.',
    'Someone changed or moved stored bytes: restore the folder from a backup and find out who.',
  ),
  CERTIFICATE_NOT_EXPORTABLE: permanent(
    'The certificate exists, its private key cannot be read.',
    'Create the certificate with key_props.exportable=true; HSM-backed certificate keys never leave the vault.',
  ),
  KEY_NOT_FOUND: permanent(
    'The vault holds no key of this name and version.',
    'Create the key, or correct its name in the configuration.',
  ),
  KEY_OPERATION_REFUSED: permanent(
    'The key does not allow this operation or algorithm.',
    'Give the key the operation in key_ops, and the type that the algorithm needs.',
  ),
  VAULT_UNKNOWN: permanent(
    'No vault of this name is configured.',
    'Add it to the vaults of the configuration, or correct the manifest.',
  ),
  VAULT_FORBIDDEN: permanent(
    "The vault's access control refuses this identity.",
    'Give the identity the role "Key Vault Secrets User" on the vault; changes of roles take minutes to arrive.',
  ),
  VAULT_FIREWALL: permanent(
    "The vault's firewall refuses this network address.",
    'Add the cluster to the allowed networks of the vault, or use its private endpoint.',
  ),
  VAULT_UNAUTHENTICATED: permanent(
    'The vault does not accept the token of this identity.',
    'Check the audience, the clock of this machine and whether the vault trusts the tenant.',
  ),
  VAULT_WRONG_TENANT: permanent(
    'The token comes from another tenant than the vault trusts.',
    'Set tenantId to the tenant of the vault, as the message names it.',
  ),
  VAULT_IDENTITY_REFUSED: permanent(
    'Entra refuses to give this identity a token.',
    'Check client ID, and issuer, subject and audience of the federated credential, against the message.',
  ),
  VAULT_IDENTITY_UNAVAILABLE: outage(
    'No token could be obtained: the identity endpoint or the projected token is not there.',
    'Check the projected token file, the pod label azure.workload.identity/use, and the route to the authority or to IMDS.',
  ),
  VAULT_THROTTLED: outage(
    'The vault answers that it received too many requests.',
    "Lower the reader's budget, or find who else uses this vault; the limit is shared by all its users.",
  ),
  VAULT_UNAVAILABLE: outage(
    'The vault answered with a server error.',
    'Wait; see the status page of the cloud.',
  ),
  VAULT_UNREACHABLE: outage(
    'No connection to the vault could be made, or it broke.',
    'Check name resolution, routes, network policy and private endpoint.',
  ),
  VAULT_TLS_UNTRUSTED: permanent(
    'The certificate of the vault or of its authority is not trusted.',
    'Set caFile to the certificate authority of a private cloud; otherwise treat it as interception.',
  ),
  VAULT_BUDGET_EXHAUSTED: outage(
    'Our own budget of vault reads for this interval is spent.',
    'Raise the budget if the vault is not shared, or the maximum age of cached values.',
  ),
  VAULT_CIRCUIT_OPEN: outage(
    'The vault failed repeatedly; requests are held back until a probe succeeds.',
    'See the failure that the message names.',
  ),
  VAULT_ABORTED: {
    meaning: 'The caller gave up, or the time for the request ran out.',
    remedy: 'Retry.',
    transient: true,
    outage: false,
  },
  VAULT_LOCKED: permanent(
    'Another process holds the embedded vault.',
    'Stop the other process; one process at a time opens a vault folder.',
  ),
  VAULT_CORRUPT: permanent(
    'The stored file of the embedded vault cannot be read.',
    'Restore the vault folder from a backup.',
  ),
  VAULT_KEY_INVALID: permanent(
    'The key file of the embedded vault is missing, has the wrong size, mode or content.',
    'Restore the key file (32 bytes, mode 0600) that belongs to this vault.',
  ),
  VAULT_CLOSED: permanent('The vault was closed.', 'The process is shutting down.'),
  VAULT_MISCONFIGURED: permanent(
    'The configuration of the vault does not work.',
    'See the message; it names the setting.',
  ),
  VAULT_REFUSED: permanent(
    'The vault refused the request for another reason.',
    'See the message and the request id in the log of the vault.',
  ),
};

export interface VaultErrorDetails {
  /** Configured name of the vault. */
  readonly vault?: string;
  readonly objectName?: string;
  readonly objectVersion?: string;
  /** `x-ms-request-id` of the answer, to be joined with the vault's own log. */
  readonly requestId?: string;
  readonly httpStatus?: number;
  /** Error codes as the vault sent them, outermost first. */
  readonly serviceCodes?: readonly string[];
  /** How long to hold back, where the vault or our own limiter says so. */
  readonly retryAfterMs?: number;
}

/** The only error that leaves this library. Its message never contains a secret value. */
export class VaultError extends Error {
  override readonly name = 'VaultError';

  constructor(
    readonly code: VaultErrorCode,
    message: string,
    readonly details: VaultErrorDetails = {},
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }

  /** The same request may succeed later by itself. */
  get transient(): boolean {
    return VAULT_ERRORS[this.code].transient;
  }

  /** The vault could not answer (as opposed to: it answered no). */
  get outage(): boolean {
    return VAULT_ERRORS[this.code].outage;
  }

  get remedy(): string {
    return VAULT_ERRORS[this.code].remedy;
  }
}

export const isVaultError = (error: unknown): error is VaultError => error instanceof VaultError;
