import { z } from 'zod';
import { AttestResponse, ReleasePayload } from './attest.js';
import { MAX_EVIDENCE_BYTES } from './verify.js';

/** How secrets are sealed to a provisioning key: all in one JWE, or each by itself. */
export const ANJUNA_FORMS = ['jwe', 'rsa-oaep-256'] as const;
export type AnjunaForm = (typeof ANJUNA_FORMS)[number];

/** Base64 (RFC 4648 §4) of so many bytes, with the line ends that tools put into it. */
const base64Characters = (bytes: number): number => Math.ceil((bytes / 3) * 4 * 1.05) + 16;

/** Body of `POST /v1/attest/anjuna`: the two files of `anjuna-sgxrun --provision`. */
export const AnjunaAttestRequest = z
  .strictObject({
    quote: z.string().max(base64Characters(MAX_EVIDENCE_BYTES)).describe('base64 of APP.quote.bin'),
    publicKey: z
      .string()
      .max(4 * 1024)
      .describe('APP.provision.key: PEM, or base64 of DER; RSAPublicKey (PKCS #1) or SubjectPublicKeyInfo'),
    form: z.enum(ANJUNA_FORMS).default('jwe'),
    workload: z
      .string()
      .min(1)
      .max(128)
      .optional()
      .describe('Hint, needed only where a measurement serves several workloads.'),
  })
  .describe('Quote and provisioning key of an enclave.');
export type AnjunaAttestRequest = z.infer<typeof AnjunaAttestRequest>;

/** The release in one JWE (RSA-OAEP-256, A256GCM). */
export const AnjunaSealedRelease = AttestResponse.extend({ form: z.literal('jwe') });
/** Each value in a ciphertext of its own: RSAES-OAEP with SHA-256 and MGF1 with SHA-256, no label (RFC 8017 §7.1). */
export const AnjunaSealedSecrets = AttestResponse.omit({ release: true }).extend({
  form: z.literal('rsa-oaep-256'),
  env: z.record(z.string(), z.string()).describe('base64 of the ciphertext by name'),
  files: z.array(
    ReleasePayload.shape.files.element.extend({ content: z.string().describe('base64 of the ciphertext') }),
  ),
  certificate: ReleasePayload.shape.certificate,
});
export const AnjunaAttestResponse = z.discriminatedUnion('form', [AnjunaSealedRelease, AnjunaSealedSecrets]);
export type AnjunaAttestResponse = z.infer<typeof AnjunaAttestResponse>;
