import { flag, port } from '#platform';
import { z } from 'zod';

/** Variables of this wrapper; docs/wrappers/trustee.md says what each means to an operator. */
export const trusteeEnvironment = {
  SIEGEL_TRUSTEE_PORT: port.default(0).describe("Port of Trustee's KBS protocol; 0: off"),
  SIEGEL_TRUSTEE_HOST: z.string().optional().describe('Its address; default SIEGEL_HTTP_HOST'),
  SIEGEL_TRUSTEE_TLS: flag
    .default(true)
    .describe('false: plain HTTP, for clients that have no certificate of this service; no administration'),
  SIEGEL_TRUSTEE_SESSION_SECONDS: z.coerce
    .number()
    .int()
    .min(10)
    .max(900)
    .default(300)
    .describe('For the handshake, and after it for reading resources by cookie or token'),
  SIEGEL_TRUSTEE_MAX_SESSIONS: z.coerce.number().int().min(1).max(1_000_000).default(50_000),
  SIEGEL_TRUSTEE_MAX_CONNECTIONS: z.coerce.number().int().min(1).max(65_536).default(1_024),
  SIEGEL_TRUSTEE_ADMIN_FILE: z
    .string()
    .optional()
    .describe('JSON: who may write resources by this protocol; without it nobody'),
  SIEGEL_TRUSTEE_SAMPLE_WORKLOAD: z
    .string()
    .optional()
    .describe('Workload that evidence of the sample attester stands for; only with SIEGEL_SIMULATION'),
};
