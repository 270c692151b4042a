/**
 * Gramine's Secret Provisioning, unchanged since 1.0 (secret_prov_common.h): inside TLS the client sends REQUEST, the server answers
 * RESPONSE, the size of the secret as a big-endian u32 and the secret. There is no message for a refusal: the server closes.
 */
export const REQUEST = Buffer.from('SECRET_PROVISION_RA_TLS_REQUEST_V1\0', 'latin1');
export const RESPONSE = Buffer.from('SECRET_PROVISION_RA_TLS_RESPONSE_V1:\0', 'latin1');

/** The whole answer; clients read it piece by piece, by exact lengths. */
export function answerWith(secret: Uint8Array): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(secret.length);
  return Buffer.concat([RESPONSE, size, secret]);
}
