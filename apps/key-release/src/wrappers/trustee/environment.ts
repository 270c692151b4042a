import { ConfigurationError, flag, port } from '#platform';
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
  SIEGEL_TRUSTEE_MAX_SESSIONS: z.coerce
    .number()
    .int()
    .min(1)
    .max(1_000_000)
    .default(10_000)
    .describe('Sessions that have attested and not expired; each takes about 10 KB'),
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

/** What no variable can say by itself. @throws ConfigurationError which names the variable */
export function requireTrusteeSettings(environment: {
  readonly SIEGEL_SIMULATION: boolean;
  readonly SIEGEL_TRUSTEE_TLS: boolean;
  readonly SIEGEL_TRUSTEE_ADMIN_FILE?: string | undefined;
  readonly SIEGEL_TRUSTEE_SAMPLE_WORKLOAD?: string | undefined;
}): void {
  if (environment.SIEGEL_TRUSTEE_SAMPLE_WORKLOAD !== undefined && !environment.SIEGEL_SIMULATION) {
    throw new ConfigurationError([
      {
        variable: 'SIEGEL_TRUSTEE_SAMPLE_WORKLOAD',
        message: 'sample evidence proves nothing: it is accepted only with SIEGEL_SIMULATION',
      },
    ]);
  }
  if (environment.SIEGEL_TRUSTEE_ADMIN_FILE !== undefined && !environment.SIEGEL_TRUSTEE_TLS) {
    throw new ConfigurationError([
      {
        variable: 'SIEGEL_TRUSTEE_ADMIN_FILE',
        message: 'administration needs SIEGEL_TRUSTEE_TLS: without it tokens and resources could be read',
      },
    ]);
  }
}
