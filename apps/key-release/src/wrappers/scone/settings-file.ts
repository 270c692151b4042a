import { ConfigurationError, configuredBy, readConfigurationFile } from '#platform';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { KeyReleaseEnvironment } from '../../environment.js';
import { resolvedAzure, SessionAzureSettings } from './azure/azure-settings.js';

const spkiHash = z.string().regex(/^[0-9a-f]{64}$/, 'must be the SHA-256 of an SPKI as lower-case hex');

const certificate = z.string().refine((pem) => {
  try {
    return new X509Certificate(pem).ca;
  } catch {
    return false;
  }
}, 'must be the PEM certificate of an authority');

const es384 = z.string().refine((pem) => {
  try {
    return createPublicKey(pem).asymmetricKeyDetails?.namedCurve === 'secp384r1';
  } catch {
    return false;
  }
}, 'must be a P-384 public key in PEM');

/** A service that another CAS has attested, and what it may have here. */
export const FederatedService = z.strictObject({
  /** Session and service here, whose release it gets: `shop/orders/orders`. */
  session: z.string().min(1).max(512),
  service: z.string().min(1).max(128),
  /** The x509-ca secret of that CAS's session which issues the service's client certificates. */
  authority: certificate,
  /** With it a token of that CAS is demanded besides (SCONE 7.0). */
  token: z
    .strictObject({
      publicKey: es384,
      /** Claim that holds `$$SCONE::self::software_identity$$`. */
      claim: z.string().min(1).max(64).default('mrenclave'),
      /** What stands before the 64 hexadecimal digits: how SCONE writes it is not documented. */
      prefix: z.string().max(64).default(''),
    })
    .optional(),
});
export type FederatedService = z.infer<typeof FederatedService>;

const TenantSettings = z.strictObject({
  /** Who may create sessions that have no parent; `ANY`: whoever has a client certificate. */
  creators: z.union([z.literal('ANY'), z.array(spkiHash).max(1_024)]),
  /** Whose key a key hash of SCONE stands for: its preimage is not documented. */
  keyHashes: z.record(z.string().max(64), spkiHash).default({}),
  /** Vaults that `import_akv` may read, by the first label of their host as sessions write it; to the deployment's name. */
  vaults: z.record(z.string().max(127), z.string().max(63)).default({}),
  federation: z.array(FederatedService).max(256).default([]),
  azure: SessionAzureSettings.exactOptional(),
});
export type SconeTenant = z.infer<typeof TenantSettings>;

const Settings = z.strictObject({ tenants: z.record(z.string(), TenantSettings) });

/** The configured tenants. @throws ConfigurationError that names the variable */
export function readSettings(environment: KeyReleaseEnvironment): ReadonlyMap<string, SconeTenant> {
  const file = environment.SIEGEL_SCONE_FILE;
  if (file === undefined)
    throw refused('SIEGEL_SCONE_FILE', 'is needed with SIEGEL_SCONE_PORT: without it nobody may do anything');
  return configuredBy('SIEGEL_SCONE_FILE', () => {
    const { tenants } = readConfigurationFile(Settings, file);
    return new Map(
      Object.entries(tenants).map(([tenant, { azure, ...rest }]) => [
        tenant,
        { ...rest, ...(azure === undefined ? {} : { azure: resolvedAzure(azure, dirname(file)) }) },
      ]),
    );
  });
}

/** @throws ConfigurationError that names the variable */
export function readSealingKey(environment: KeyReleaseEnvironment): Buffer {
  const file = environment.SIEGEL_SCONE_KEY_FILE;
  if (file === undefined)
    throw refused('SIEGEL_SCONE_KEY_FILE', 'is needed with SIEGEL_SCONE_PORT: sessions hold secrets');
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw refused('SIEGEL_SCONE_KEY_FILE', (error as Error).message);
  }
  const key = Buffer.from(text, 'base64');
  if (key.length === 32 && key.toString('base64') === text) return key;
  throw refused('SIEGEL_SCONE_KEY_FILE', 'is not the base64 of 32 bytes');
}

const refused = (variable: string, message: string): ConfigurationError =>
  new ConfigurationError([{ variable, message }]);
