import { flag } from '#platform';

/** Variables of RA-TLS on the native HTTPS endpoint. */
export const raTlsEnvironment = {
  SIEGEL_RA_TLS: flag
    .default(false)
    .describe('true: clients are asked for a certificate, and one that carries a quote attests by itself'),
};
