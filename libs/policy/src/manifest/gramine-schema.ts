import { z } from 'zod';
import { FORMATS } from './formats.js';
import { text } from './schema-parts.js';

/** How Gramine's Secret Provisioning clients can take what they get; it is one message of bytes. */
export const GRAMINE_DELIVERIES = ['env-string', 'json-bundle', 'raw16', 'hex16', 'raw'] as const;
export type GramineDelivery = (typeof GRAMINE_DELIVERIES)[number];

/** How a vault's text stands for bytes. */
export const GRAMINE_ENCODINGS = ['none', 'hex', 'base64'] as const;
export type GramineEncoding = (typeof GRAMINE_ENCODINGS)[number];

/** Longest content of SECRET_PROVISION_SECRET_STRING: 4,096 bytes with the NUL that ends it (secret_prov_attest.c). */
export const GRAMINE_STRING_BYTES = 4_095;

export const GramineSchema = z.strictObject({
  delivery: z
    .enum(GRAMINE_DELIVERIES)
    .describe(
      'env-string: text for SECRET_PROVISION_SECRET_STRING; json-bundle: all secrets as one JSON text; raw16: a key of 16 bytes ' +
        '(SECRET_PROVISION_SET_KEY since Gramine 1.3); hex16: the same as text, for older ones; raw: any bytes',
    ),
  secret: text(FORMATS.objectAlias)
    .optional()
    .describe('Alias of the secret that is sent; default: the only one'),
  encoding: z
    .enum(GRAMINE_ENCODINGS)
    .optional()
    .describe("How the vault's text stands for the bytes of raw16, hex16 and raw; default none: as they are"),
});
export type GramineSection = z.infer<typeof GramineSchema>;
