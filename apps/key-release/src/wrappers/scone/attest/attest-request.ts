import { MAX_EVIDENCE_BYTES } from '#contracts';
import { z } from 'zod';
import { SconeError } from '../scone-error.js';

/** `POST /siegel/v1/attest`: a service asks for what its session gives it, over a connection whose certificate its quote binds. */
export const AttestRequest = z.strictObject({
  session: z.string().min(1).max(512),
  service: z.string().min(1).max(128),
  /** DCAP quote; without it the certificate must be one of a pinned CAS. */
  evidence: z
    .string()
    .min(1)
    .max(Math.ceil((MAX_EVIDENCE_BYTES * 4) / 3))
    .regex(/^[A-Za-z0-9_-]+$/, 'must be base64url without padding')
    .optional(),
  binding: z.enum(['sha512-cert', 'sha256-spki']).default('sha512-cert'),
  /** ES384 JWT of a pinned CAS. */
  token: z.string().max(8_192).optional(),
  /** Where the session asks for second factors. */
  oneTimePassword: z.string().max(16).optional(),
  accessToken: z.string().max(1_024).optional(),
  /** The host's command line, for `@@N`. */
  arguments: z.array(z.string().max(32_768)).max(1_024).default([]),
});
export type AttestRequest = z.infer<typeof AttestRequest>;

/** @throws SconeError */
export function readAttestRequest(body: Buffer): AttestRequest {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw SconeError.invalid(['the body is no JSON']);
  }
  const parsed = AttestRequest.safeParse(json);
  if (parsed.success) return parsed.data;
  throw SconeError.invalid(
    parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`.slice(0, 200)),
  );
}
