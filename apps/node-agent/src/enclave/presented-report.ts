import { SiegelError } from '#contracts';
import {
  checkBinding,
  EmAppError,
  localAttestation,
  namedConfigId,
  readEmAppRequest,
  REPORT_BYTES,
  reportBody,
  reportKeyId,
  reportMac,
  reportPart,
  requireEnclave,
  sameBytes,
} from '#evidence';
import { isPkiError, parseCsr } from '#pki';
import { z } from 'zod';

const MAX_CHARACTERS = 32 * 1024;

/** Body of `POST /v1/enclave/attest` (em-node-agent-client: GetFortanixAttestationRequest). */
export const AttestReportRequest = z.strictObject({
  report: z
    .string()
    .length((REPORT_BYTES / 3) * 4)
    .regex(/^[A-Za-z0-9+/]*$/, 'must be base64 of 432 bytes'),
  attestation_csr: z.string().max(MAX_CHARACTERS),
});
export type AttestReportRequest = z.infer<typeof AttestReportRequest>;

/**
 * The REPORT of an application, if its request is for exactly that REPORT: subject and attribute repeat it, the report data bind the
 * request's key, and the key has signed the request. What is verified later is the quote; this only tells a caller's mistake early.
 *
 * @throws SiegelError REQUEST_MALFORMED
 */
export function presentedReport({ report: encoded, attestation_csr: csr }: AttestReportRequest): Buffer {
  const report = Buffer.from(encoded, 'base64');
  try {
    const { der, key } = parseCsr(csr);
    const request = readEmAppRequest(der);
    requireEnclave(request, reportBody(report));
    const { keyId, mac } = localAttestation(request);
    if (!sameBytes(keyId, reportKeyId(report)) || !sameBytes(mac, reportMac(report)))
      throw new EmAppError('EM_REPORT_MISMATCH', 'KEYID or MAC');
    const reportData = reportPart(report, 'reportData');
    const binding = checkBinding('fortanix-config', reportData, {
      spki: key.spki,
      configId: namedConfigId(reportData),
    });
    if (!binding.ok) throw malformed(binding.code, binding.message);
    return report;
  } catch (error) {
    if (error instanceof EmAppError || isPkiError(error)) throw malformed(error.code, error.message, error);
    throw error;
  }
}

const malformed = (code: string, message: string, cause?: unknown): SiegelError =>
  new SiegelError('REQUEST_MALFORMED', { detail: `${code}: ${message}`.slice(0, 300), cause });
