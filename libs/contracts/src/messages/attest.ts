import { z } from 'zod';
import { LogPromise } from './audit.js';
import { base64url, MAX_EVIDENCE_BYTES } from './verify.js';

/** A public JWK (RFC 7517) as callers send it; private members are refused by the key import. */
export const PublicKeyJwk = z.strictObject({
  kty: z.enum(['EC', 'RSA', 'OKP']),
  crv: z.string().max(16).optional(),
  x: base64url(66).optional(),
  y: base64url(66).optional(),
  n: base64url(512).optional(),
  e: base64url(8).optional(),
  kid: z.string().max(128).optional(),
  use: z.string().max(16).optional(),
  alg: z.string().max(32).optional(),
  key_ops: z.array(z.string().max(16)).max(8).optional(),
});

/** Body of `POST /v1/attest`. */
export const AttestRequest = z
  .strictObject({
    evidence: base64url(MAX_EVIDENCE_BYTES).describe('The quote, base64url without padding.'),
    format: z.enum(['auto', 'dcap', 'open-enclave']).default('auto'),
    /** The key that report_data binds and to which the release is sealed: one of the two. */
    publicKey: z
      .strictObject({ jwk: PublicKeyJwk.optional(), spki: base64url(1_024).optional() })
      .refine(
        (key) => (key.jwk === undefined) !== (key.spki === undefined),
        'exactly one of "jwk" and "spki"',
      ),
    binding: z.string().max(32).describe('Binding convention of report_data.'),
    challenge: z
      .string()
      .max(256)
      .optional()
      .describe('The nonce of POST /v1/challenge, if report_data binds it.'),
    certificate: base64url(8 * 1024)
      .optional()
      .describe('DER of the certificate of the key; with binding sha512-cert.'),
    runtimeData: base64url(12 * 1024)
      .optional()
      .describe('Runtime data exactly as the enclave hashed it; with binding sha256-runtime-data.'),
    claims: base64url(4 * 1024)
      .optional()
      .describe('CBOR claims exactly as the enclave hashed them; with binding dice-claims.'),
    configId: base64url(32)
      .optional()
      .describe('SHA-256 of the application configuration; with binding fortanix-config, if there is one.'),
    workload: z
      .string()
      .max(128)
      .optional()
      .describe('Hint, needed only where a measurement serves several workloads.'),
  })
  .describe('Evidence and the key it binds.');
export type AttestRequest = z.infer<typeof AttestRequest>;

/** Answer of `POST /v1/attest` and `GET /v1/release`. */
export const AttestResponse = z.object({
  token: z.string().describe('Attestation token: ES256 JWT, at most 15 minutes, cnf = the bound key.'),
  tokenType: z.literal('DPoP'),
  expiresAt: z.iso.datetime(),
  sessionEndsAt: z.iso
    .datetime()
    .describe('Until then GET /v1/release renews the token; after that the enclave attests again.'),
  session: z.string(),
  workload: z.string(),
  simulated: z.boolean(),
  release: z.string().describe('Compact JWE to the bound key; its plaintext is a ReleasePayload.'),
  promise: LogPromise.describe('The audit log has this decision durably; given before the release left.'),
});
export type AttestResponse = z.infer<typeof AttestResponse>;

/** Plaintext of the sealed release. */
export const ReleasePayload = z.object({
  v: z.literal(1),
  workload: z.string(),
  env: z.record(z.string(), z.string()),
  files: z.array(
    z.object({
      path: z.string(),
      /** Octal, for example "0400". */
      mode: z.string(),
      /** base64 of the content. */
      content: z.string(),
    }),
  ),
  argv: z.array(z.string()),
  certificate: z
    .object({
      /** Leaf, then intermediates, PEM. */
      chainPem: z.string(),
      rootPem: z.string(),
      dns: z.array(z.string()),
      spiffeId: z.string().optional(),
      notAfter: z.iso.datetime(),
    })
    .optional(),
});
export type ReleasePayload = z.infer<typeof ReleasePayload>;

/** Answer of `POST /v1/challenge`. */
export const ChallengeResponse = z.object({ challenge: z.string(), expiresAt: z.iso.datetime() });
export type ChallengeResponse = z.infer<typeof ChallengeResponse>;
