import { flag } from '#platform';

/** Variables of the ways in for users of Anjuna. */
export const anjunaEnvironment = {
  SIEGEL_ANJUNA: flag
    .default(false)
    .describe("true: Anjuna's provisioning files attest, and secrets can be read as from a HashiCorp Vault"),
};
