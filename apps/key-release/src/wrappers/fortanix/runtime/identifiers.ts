import { createHash } from 'node:crypto';

/**
 * UUIDs of what Fortanix' manager would have given one: made of the names (RFC 9562 §5.8, version 8), so that every replica gives the same.
 */
function named(...parts: readonly string[]): string {
  const bytes = createHash('sha256')
    .update(JSON.stringify(['siegel', 'fortanix', ...parts]))
    .digest();
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex', 0, 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** `sdkms_app_id`: the application as the secret manager knows it. */
export const applicationId = (tenant: string, workload: string): string => named('app', tenant, workload);
/** `acct_id` */
export const accountId = (tenant: string): string => named('account', tenant);
/** `kid` */
export const objectId = (tenant: string, workload: string, name: string): string =>
  named('object', tenant, workload, name);
