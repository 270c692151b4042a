import { sourceAddress } from '#collateral';
import { flag, list, milliseconds, serviceEnvironment } from '#platform';
import { z } from 'zod';
import { maaVariables, missingMaaVariables } from '../maa/maa-environment.js';

export const SOURCE_NAMES = ['bundle', 'pccs', 'pcs', 'thim'] as const;
export type SourceName = (typeof SOURCE_NAMES)[number];

const DAY_SECONDS = 86_400;
const seconds = (minimum: number, maximum: number) => z.coerce.number().int().min(minimum).max(maximum);

/** `tee:fmspc:ca`, for example `sgx:00606a000000:platform`. */
const prefetchTarget = z
  .string()
  .regex(
    /^(sgx|tdx):[0-9a-f]{12}:(platform|processor)$/,
    'must be tee:fmspc:ca, for example sgx:00606a000000:platform',
  );

/** What the quote-verifier reads from its environment, besides what every service reads. */
export const verifierEnvironment = serviceEnvironment
  .extend({
    SIEGEL_VERDICT_KEY_FILE: z
      .string()
      .describe(
        'P-256 private key (PKCS#8 PEM, mode 0600) that signs verdicts; its public part is in the trust file',
      ),
    SIEGEL_SIMULATED_ROOT_FILE: z
      .string()
      .optional()
      .describe('PEM certificate of a simulated root; only together with SIEGEL_SIMULATION=true'),
    SIEGEL_VERIFIER_WORKERS: z.coerce
      .number()
      .int()
      .min(0)
      .max(256)
      .optional()
      .describe('Worker threads that verify; 0 verifies on the event loop; the default depends on the cores'),

    SIEGEL_RETAIN_EVIDENCE: z
      .enum(['off', 'verified', 'all'])
      .default('off')
      .describe(
        'Evidence that is handed to the audit service to be kept: none, what verified, or what was refused as well',
      ),

    SIEGEL_COLLATERAL_SOURCES: list
      .pipe(z.array(z.enum(SOURCE_NAMES)).min(1))
      .refine((names) => new Set(names).size === names.length, 'names a source twice')
      .default(['pcs'])
      .describe('Sources of collateral in the order in which they are asked: bundle, pccs, pcs, thim'),
    SIEGEL_COLLATERAL_BUNDLE_DIR: z
      .string()
      .optional()
      .describe('Folder of offline collateral bundles (*.json), for the source "bundle"'),
    SIEGEL_PCS_URL: sourceAddress.default('https://api.trustedservices.intel.com'),
    SIEGEL_PCS_ROOT_CRL_URL: sourceAddress.default(
      'https://certificates.trustedservices.intel.com/IntelSGXRootCA.der',
    ),
    SIEGEL_PCS_KEY_FILE: z
      .string()
      .optional()
      .describe('File with the PCS subscription key; needed only to look PCK certificates up'),
    SIEGEL_PCCS_URL: sourceAddress
      .optional()
      .describe('Base URL of a PCCS, for example https://pccs.local:8081'),
    SIEGEL_THIM_URLS: list
      .pipe(z.array(sourceAddress).min(1).max(4))
      .default(['http://169.254.169.254/metadata/THIM', 'https://global.acccache.azure.net'])
      .describe('Base URLs of Azure THIM, asked in this order'),
    SIEGEL_COLLATERAL_CA_FILE: z
      .string()
      .optional()
      .describe('PEM of further CAs that collateral sources may be certified by (a PCCS of your own)'),
    SIEGEL_COLLATERAL_TIMEOUT_MS: milliseconds
      .default(5_000)
      .describe('Longest time for one HTTP request to a source'),
    SIEGEL_COLLATERAL_WAIT_MS: milliseconds
      .default(4_000)
      .describe('Longest time that evidence waits for collateral that is not there yet'),
    SIEGEL_COLLATERAL_UPDATE: z.enum(['early', 'standard']).default('standard'),
    SIEGEL_COLLATERAL_GRACE_SECONDS: seconds(0, 400 * DAY_SECONDS)
      .default(0)
      .describe('How long past its expiry collateral still counts'),
    SIEGEL_COLLATERAL_REFRESH_SECONDS: seconds(1, 30 * DAY_SECONDS)
      .default(DAY_SECONDS)
      .describe(
        'Greatest age of collateral before it is fetched again; half of its remaining validity if that is less',
      ),
    SIEGEL_COLLATERAL_RETRY_MS: milliseconds
      .default(10_000)
      .describe('First pause after a failed fetch; doubles with each failure up to 15 minutes'),
    SIEGEL_COLLATERAL_PREFETCH: list
      .pipe(z.array(prefetchTarget).max(256))
      .default([])
      .describe('Platforms whose collateral is fetched at start: tee:fmspc:ca, comma separated'),
    SIEGEL_COLLATERAL_SHARED: flag
      .default(true)
      .describe('Whether replicas share collateral through the JetStream bucket, where there is one'),
    SIEGEL_MIN_TCB_EVALUATION: z.coerce
      .number()
      .int()
      .min(0)
      .max(1_000_000)
      .optional()
      .describe('Lowest tcbEvaluationDataNumber that is accepted'),
    ...maaVariables,
  })
  .superRefine((environment, context) => {
    const refuse = (variable: string, message: string): void => {
      context.addIssue({ code: 'custom', path: [variable], message });
    };
    if (environment.SIEGEL_SIMULATED_ROOT_FILE !== undefined && !environment.SIEGEL_SIMULATION)
      refuse('SIEGEL_SIMULATED_ROOT_FILE', 'is only accepted together with SIEGEL_SIMULATION=true');
    if (environment.SIEGEL_SIMULATION && environment.SIEGEL_SIMULATED_ROOT_FILE === undefined)
      refuse('SIEGEL_SIMULATED_ROOT_FILE', 'is required when SIEGEL_SIMULATION is true');
    const sources = environment.SIEGEL_COLLATERAL_SOURCES;
    if (sources.includes('bundle') && environment.SIEGEL_COLLATERAL_BUNDLE_DIR === undefined)
      refuse('SIEGEL_COLLATERAL_BUNDLE_DIR', 'is required by the collateral source "bundle"');
    if (sources.includes('pccs') && environment.SIEGEL_PCCS_URL === undefined)
      refuse('SIEGEL_PCCS_URL', 'is required by the collateral source "pccs"');
    for (const variable of missingMaaVariables(environment))
      refuse(variable, 'is required where SIEGEL_MAA_PORT is set');
  });
export type VerifierEnvironment = z.infer<typeof verifierEnvironment>;
