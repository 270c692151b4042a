import { createLocalJWKSet, createRemoteJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { TENANT_PATTERN } from '#contracts';
import { readConfigurationFile } from '#platform';

const FETCH_TIMEOUT_MS = 3_000;
const PART = '[A-Za-z0-9_-][A-Za-z0-9_.-]{0,79}';

const Role = z.strictObject({
  tenants: z.array(z.string().regex(TENANT_PATTERN)).min(1).max(64),
  methods: z
    .array(z.enum(['GET', 'POST', 'DELETE']))
    .min(1)
    .max(3),
  /** Each part of a path, or `*` in its place. */
  resources: z
    .array(z.string().regex(new RegExp(`^(?:\\*|${PART})(?:/(?:\\*|${PART})){2}$`)))
    .min(1)
    .max(256),
});

const AdminFile = z
  .strictObject({
    issuer: z.string().min(1).max(512),
    audience: z.string().min(1).max(512),
    /** JWKS with public keys, relative to this file; or its address. */
    jwksFile: z.string().min(1).exactOptional(),
    jwksUrl: z.url({ protocol: /^https$/ }).exactOptional(),
    /** Tokens that were issued for longer are refused. */
    maxLifetimeSeconds: z.number().int().min(30).max(86_400).default(3_600),
    roles: z.record(z.string().min(1).max(64), Role),
  })
  .refine(
    ({ jwksFile, jwksUrl }) => (jwksFile === undefined) !== (jwksUrl === undefined),
    'exactly one of jwksFile and jwksUrl',
  );

export type AdminRole = z.infer<typeof Role>;

export interface AdminSettings {
  readonly issuer: string;
  readonly audience: string;
  readonly maxLifetimeSeconds: number;
  readonly roles: Readonly<Record<string, AdminRole>>;
  readonly keys: JWTVerifyGetKey;
}

/** Who may administer by this protocol. @throws Error with a sentence for the operator, which names the file */
export function readAdminFile(file: string): AdminSettings {
  const { jwksFile, jwksUrl, ...settings } = readConfigurationFile(AdminFile, file);
  const keys =
    jwksUrl === undefined
      ? localKeys(resolve(dirname(resolve(file)), jwksFile!))
      : createRemoteJWKSet(new URL(jwksUrl), { timeoutDuration: FETCH_TIMEOUT_MS });
  return { ...settings, keys };
}

function localKeys(file: string): JWTVerifyGetKey {
  const set = readConfigurationFile(z.unknown(), file) as JSONWebKeySet;
  try {
    const keys = createLocalJWKSet(set);
    const secret = set.keys.some((key) => key.kty === 'oct' || 'd' in key);
    if (set.keys.length > 0 && !secret) return keys;
  } catch {
    // Said below.
  }
  throw new Error(`${file} is no JWKS with public keys alone`);
}
