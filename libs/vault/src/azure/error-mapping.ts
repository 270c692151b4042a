import { VaultError, type VaultErrorCode, type VaultErrorDetails } from '../errors.js';

/** What the SDKs throw, as far as it matters here: RestError, AuthenticationError and system errors in one shape. */
interface SdkError {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string;
  readonly statusCode?: number;
  readonly cause?: unknown;
  readonly errors?: readonly unknown[];
  readonly details?: { readonly error?: ServiceError };
  readonly response?: {
    readonly headers?: { get(name: string): string | undefined };
    readonly bodyAsText?: string | null;
  };
  readonly errorResponse?: { readonly error?: string; readonly errorDescription?: string };
}

interface ServiceError {
  readonly code?: string;
  readonly message?: string;
  // The service writes innererror; the SDK's model renames it to innerError.
  readonly innererror?: ServiceError;
  readonly innerError?: ServiceError;
}

const TLS_CODES = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);
const CREDENTIAL_ERRORS =
  /^(AuthenticationError|AggregateAuthenticationError|AuthenticationRequiredError|CredentialUnavailableError)$/;
const WRONG_TENANT =
  /AKV10032|Invalid issuer|not configured to acquire tokens for tenant|AADSTS(?:90002|900023|50020|500011)\b/;

/** Any failure of a vault operation to one distinct code. Never throws. */
export function toVaultError(
  error: unknown,
  what: string,
  details: VaultErrorDetails,
  timedOut = false,
): VaultError {
  if (error instanceof VaultError) return error;
  const sdk = (error ?? {}) as SdkError;
  const service = serviceErrorOf(sdk);
  const codes = service === undefined ? [] : codesOf(service);
  const requestId = sdk.response?.headers?.get('x-ms-request-id');
  const full: VaultErrorDetails = {
    ...details,
    ...(requestId === undefined ? {} : { requestId }),
    ...(sdk.statusCode === undefined ? {} : { httpStatus: sdk.statusCode }),
    ...(codes.length === 0 ? {} : { serviceCodes: codes }),
    ...retryAfterOf(sdk),
  };
  const [code, why] = timedOut
    ? (['VAULT_UNREACHABLE', 'no answer in time'] as const)
    : classify(sdk, service, codes);
  // The SDK's error holds the whole request, and with it the value of a secret that was being set: it goes no further.
  const cause = sdk.name === 'RestError' ? (sdk.cause ?? undefined) : error;
  return new VaultError(code, `${what}: ${why}`, full, cause === undefined ? undefined : { cause });
}

function classify(
  sdk: SdkError,
  service: ServiceError | undefined,
  codes: readonly string[],
): [VaultErrorCode, string] {
  const message = service?.message ?? sdk.message ?? 'no message';
  if (sdk.name === 'AbortError') return ['VAULT_ABORTED', 'the caller gave up'];
  const network = networkCode(sdk);
  if (network !== undefined && TLS_CODES.has(network))
    return ['VAULT_TLS_UNTRUSTED', `${network}: ${message}`];
  if (isCredentialError(sdk)) return classifyIdentity(sdk, message);
  if (sdk.statusCode !== undefined)
    return [codeOfStatus(sdk.statusCode, message, codes), `HTTP ${sdk.statusCode}: ${message}`];
  if (/challenge (?:resource|origin)|must use HTTPS|invalid scope/.test(message))
    return ['VAULT_MISCONFIGURED', message];
  // Everything else happened on the way: resets, timeouts, name resolution, answers that are no HTTP.
  return ['VAULT_UNREACHABLE', network === undefined ? message : `${network}: ${message}`];
}

function codeOfStatus(status: number, message: string, codes: readonly string[]): VaultErrorCode {
  const has = (pattern: RegExp): boolean => codes.some((code) => pattern.test(code));
  switch (status) {
    case 401:
      return WRONG_TENANT.test(message) ? 'VAULT_WRONG_TENANT' : 'VAULT_UNAUTHENTICATED';
    case 403:
      if (has(/^(Secret|Key|Certificate)Disabled$/) || /is not allowed on a disabled/.test(message))
        return 'SECRET_DISABLED';
      if (has(/^ForbiddenBy(Firewall|Connection)$/)) return 'VAULT_FIREWALL';
      if (has(/^KeyOperationForbidden$/)) return 'KEY_OPERATION_REFUSED';
      // Unknown inner codes too: a denial is never retried.
      return 'VAULT_FORBIDDEN';
    case 404:
      return has(/^KeyNotFound$/) ? 'KEY_NOT_FOUND' : 'SECRET_NOT_FOUND';
    case 409:
      return has(/^ObjectIs(DeletedButRecoverable|BeingDeleted)$/) ? 'SECRET_DELETED' : 'VAULT_REFUSED';
    case 413:
      return 'SECRET_TOO_LARGE';
    case 429:
      return 'VAULT_THROTTLED';
    case 400:
      return /exceed|too large|maximum/i.test(message) ? 'SECRET_TOO_LARGE' : 'VAULT_REFUSED';
    default:
      return status >= 500 || status === 408 ? 'VAULT_UNAVAILABLE' : 'VAULT_REFUSED';
  }
}

function classifyIdentity(sdk: SdkError, message: string): [VaultErrorCode, string] {
  const all = [sdk, ...(sdk.errors ?? [])].map((error) => error as SdkError);
  const text = all.map((error) => error.errorResponse?.errorDescription ?? error.message ?? '').join('\n');
  if (WRONG_TENANT.test(text)) return ['VAULT_WRONG_TENANT', firstLine(text)];
  // Entra answered and said no (AADSTS…), as opposed to not being reached or a token file that is not there.
  const refused = /AADSTS\d+|invalid_client|unauthorized_client|invalid_request/.test(text);
  const throttledOrDown = /AADSTS(?:50196|90033|90025)\b|temporarily_unavailable/.test(text);
  return [
    refused && !throttledOrDown ? 'VAULT_IDENTITY_REFUSED' : 'VAULT_IDENTITY_UNAVAILABLE',
    firstLine(text || message),
  ];
}

function isCredentialError(sdk: SdkError): boolean {
  return (
    CREDENTIAL_ERRORS.test(sdk.name ?? '') || /^AADSTS|ManagedIdentityCredential/.test(sdk.message ?? '')
  );
}

function serviceErrorOf(sdk: SdkError): ServiceError | undefined {
  if (sdk.details?.error !== undefined) return sdk.details.error;
  const body = sdk.response?.bodyAsText;
  if (body === undefined || body === null || body.length > 65_536) return undefined;
  try {
    return (JSON.parse(body) as { error?: ServiceError } | null)?.error;
  } catch {
    return undefined;
  }
}

function codesOf(error: ServiceError): string[] {
  const codes: string[] = [];
  for (let level: ServiceError | undefined = error; level !== undefined && codes.length < 8;) {
    if (typeof level.code === 'string') codes.push(level.code);
    level = level.innererror ?? level.innerError;
  }
  return codes;
}

function networkCode(sdk: SdkError): string | undefined {
  for (let error: SdkError | undefined = sdk, depth = 0; error !== undefined && depth < 6; depth++) {
    if (
      error.code !== undefined &&
      /^(E[A-Z]+|ERR_[A-Z_]+|[A-Z]+(?:_[A-Z]+){2,})$/.test(error.code) &&
      error.code !== 'REQUEST_SEND_ERROR'
    ) {
      return error.code;
    }
    error = error.cause as SdkError | undefined;
  }
  return undefined;
}

function retryAfterOf(sdk: SdkError): { retryAfterMs?: number } {
  const headers = sdk.response?.headers;
  const milliseconds = headers?.get('retry-after-ms') ?? headers?.get('x-ms-retry-after-ms');
  const seconds = headers?.get('retry-after');
  const value =
    milliseconds !== undefined ? Number(milliseconds) : seconds !== undefined ? Number(seconds) * 1_000 : NaN;
  return Number.isFinite(value) && value >= 0 ? { retryAfterMs: Math.min(value, 600_000) } : {};
}

const firstLine = (text: string): string =>
  (text.split('\n').find((line) => line.trim() !== '') ?? '').slice(0, 500);
