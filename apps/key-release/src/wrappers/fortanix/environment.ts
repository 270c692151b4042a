import { flag } from '#platform';
import { z } from 'zod';

/** Variables of Fortanix' em-app on the native HTTPS endpoint. */
export const fortanixEnvironment = {
  SIEGEL_FORTANIX: flag
    .default(false)
    .describe("true: certificates, configurations and dataset secrets for clients of Fortanix' em-app"),
  SIEGEL_FORTANIX_CERTIFICATE_SECONDS: z.coerce
    .number()
    .int()
    .min(300)
    .max(86_400)
    .default(21_600)
    .describe('Longest life of their certificates, whatever the manifest allows; they end only by expiring'),
};
