import { port } from '#platform';
import { z } from 'zod';

/** Longest life of a token (seconds): what Microsoft's service gives is eight hours, replayable all the time. */
export const MAX_TOKEN_SECONDS = 900;

/** Variables of the API in the protocol of Microsoft Azure Attestation; all of it is off without a port. */
export const maaVariables = {
  SIEGEL_MAA_PORT: port.default(0).describe('Port of the API of Microsoft Azure Attestation (HTTPS); 0: off'),
  SIEGEL_MAA_HOST: z.string().optional().describe('Its address; default SIEGEL_HTTP_HOST'),
  SIEGEL_MAA_TENANTS_FILE: z.string().optional().describe('JSON: the tenants by issuer, and their policies'),
  SIEGEL_MAA_TLS_CERT_FILE: z.string().optional().describe('PEM chain of its server certificate'),
  SIEGEL_MAA_TLS_KEY_FILE: z.string().optional().describe('PEM of its private key, mode 0600'),
  SIEGEL_MAA_KEY_DIR: z
    .string()
    .optional()
    .describe(
      'Folder of the RSA keys that sign tokens; replicas share it; default maa-keys in SIEGEL_STATE_DIR',
    ),
  SIEGEL_MAA_KEY_DAYS: z.coerce
    .number()
    .min(0)
    .max(3_650)
    .default(90)
    .describe('How long a token key signs before the next one follows; 0 is for ever'),
  SIEGEL_MAA_MAX_IN_FLIGHT: z.coerce.number().int().min(1).max(65_536).default(256),
  SIEGEL_EMITTER_KEY_FILE: z
    .string()
    .optional()
    .describe('Ed25519 key that signs audit events; needed where tokens are issued'),
  SIEGEL_LOG_ORIGIN: z
    .string()
    .optional()
    .describe('Origin of the audit logs; needed where tokens are issued'),
  SIEGEL_AUDIT_TIMEOUT_MS: z.coerce.number().int().min(100).max(60_000).default(3_000),
} as const;

type MaaVariables = z.infer<z.ZodObject<typeof maaVariables>>;

/** What must be set where the API is on. */
const NEEDED = [
  'SIEGEL_MAA_TENANTS_FILE',
  'SIEGEL_MAA_TLS_CERT_FILE',
  'SIEGEL_MAA_TLS_KEY_FILE',
  'SIEGEL_EMITTER_KEY_FILE',
  'SIEGEL_LOG_ORIGIN',
] as const satisfies readonly (keyof MaaVariables)[];

export type MaaSettings = MaaVariables & Record<(typeof NEEDED)[number], string>;

/** The variables that are missing although the API is on. */
export function missingMaaVariables(environment: MaaVariables): readonly string[] {
  return environment.SIEGEL_MAA_PORT === 0 ? [] : NEEDED.filter((name) => environment[name] === undefined);
}

/** The settings of the API; undefined where it is off. */
export function maaSettings(environment: MaaVariables): MaaSettings | undefined {
  return environment.SIEGEL_MAA_PORT === 0 ? undefined : (environment as MaaSettings);
}
