import { VaultError, type VaultErrorDetails } from './errors.js';
import { OBJECT_LIMITS } from './object-names.js';

export const PEM = 'application/x-pem-file';
export const PKCS12 = 'application/x-pkcs12';
/** Bytes that are not text; Key Vault stores text only, so they lie there as base64. */
export const BINARY = 'application/octet-stream';

const mediaType = (contentType: string | undefined): string | undefined =>
  contentType?.split(';', 1)[0]?.trim().toLowerCase();

/** Whether the vault keeps values of this content type as base64. */
export function isBase64Content(contentType: string | undefined): boolean {
  const type = mediaType(contentType);
  return type === BINARY || type === PKCS12;
}

export const isPkcs12 = (contentType: string | undefined): boolean => mediaType(contentType) === PKCS12;

// Length a multiple of four is not asked for: several tools leave the padding out.
const BASE64 = /^[A-Za-z0-9+/\r\n]*={0,2}[\r\n]*$/;

/**
 * Text as the vault stores it to the bytes that the enclave receives.
 * @throws VaultError SECRET_CONTENT_INVALID
 */
export function decodeStored(
  stored: string,
  contentType: string | undefined,
  details: VaultErrorDetails,
): Buffer {
  if (!isBase64Content(contentType)) return Buffer.from(stored, 'utf8');
  if (!BASE64.test(stored)) {
    throw new VaultError(
      'SECRET_CONTENT_INVALID',
      `the content type ${contentType} asks for base64`,
      details,
    );
  }
  return Buffer.from(stored, 'base64');
}

/**
 * Bytes of the caller to the text that the vault stores.
 * @throws VaultError SECRET_CONTENT_INVALID, SECRET_TOO_LARGE
 */
export function encodeStored(
  value: string | Uint8Array,
  contentType: string | undefined,
  details: VaultErrorDetails,
): string {
  const stored = encode(value, contentType, details);
  const bytes = Buffer.byteLength(stored);
  if (bytes > OBJECT_LIMITS.valueBytes) {
    throw new VaultError(
      'SECRET_TOO_LARGE',
      `the value takes ${bytes} bytes as stored, at most ${OBJECT_LIMITS.valueBytes} fit`,
      details,
    );
  }
  return stored;
}

function encode(
  value: string | Uint8Array,
  contentType: string | undefined,
  details: VaultErrorDetails,
): string {
  if (isBase64Content(contentType)) return Buffer.from(value as Uint8Array).toString('base64');
  if (typeof value === 'string') return value;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value);
  } catch {
    throw new VaultError(
      'SECRET_CONTENT_INVALID',
      `the value is not UTF-8 text: set the content type ${BINARY} for bytes`,
      details,
    );
  }
}
