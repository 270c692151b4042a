import { z } from 'zod';
import { TENANT_PATTERN } from '../subjects.js';

/** Largest evidence that any endpoint takes, in bytes. Real quotes are 4 to 8 KiB; GCP pads to 8,000. */
export const MAX_EVIDENCE_BYTES = 32 * 1024;

export const base64url = (maxBytes: number) =>
  z
    .string()
    .max(Math.ceil((maxBytes * 4) / 3))
    .regex(/^[A-Za-z0-9_-]*$/, 'must be base64url without padding');

export const hex = (bytes: number) =>
  z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`), `must be ${bytes} bytes as lower-case hex`);
export const isoTime = z.iso.datetime({ offset: false });

/** Request on `SUBJECTS.verify`. */
export const VerifyRequest = z.strictObject({
  v: z.literal(1),
  /** Chosen by the relying party, at least 128 bit of randomness; the verdict repeats it (request binding). */
  requestId: z
    .string()
    .min(16)
    .max(64)
    .regex(/^[A-Za-z0-9_-]+$/),
  tenant: z.string().regex(TENANT_PATTERN),
  /** `auto` recognises an Open Enclave header; `dcap` is a bare quote. */
  format: z.enum(['auto', 'dcap', 'open-enclave']).default('auto'),
  evidence: base64url(MAX_EVIDENCE_BYTES).min(1),
});
export type VerifyRequest = z.infer<typeof VerifyRequest>;

/** Claims about a verified (or refused) quote, as the verdict and the audit events carry them. Hex is lower case. */
export const QuoteClaims = z.object({
  tee: z.enum(['sgx', 'tdx']),
  quoteVersion: z.number().int(),
  tcbStatus: z.string(),
  advisoryIds: z.array(z.string()),
  tcbDate: z.string().optional(),
  platformStatus: z.string().optional(),
  qeStatus: z.string().optional(),
  moduleStatus: z.string().optional(),
  mrenclave: hex(32).optional(),
  mrsigner: hex(32).optional(),
  isvProdId: z.number().int().optional(),
  isvSvn: z.number().int().optional(),
  isvExtProdId: hex(16).optional(),
  isvFamilyId: hex(16).optional(),
  configId: hex(64).optional(),
  configSvn: z.number().int().optional(),
  attributes: hex(16).optional(),
  mrtd: hex(48).optional(),
  rtmrs: z.array(hex(48)).length(4).optional(),
  mrSeam: hex(48).optional(),
  mrServiceTd: hex(48).optional(),
  mrConfigId: hex(48).optional(),
  mrOwner: hex(48).optional(),
  mrOwnerConfig: hex(48).optional(),
  tdAttributes: hex(8).optional(),
  debug: z.boolean(),
  reportData: hex(64),
  fmspc: hex(6),
  /** The quoting enclave's identifier of its machine: the first 16 bytes of user data in the quote's header. */
  qeId: hex(16).optional(),
  ppidSha256: hex(32).optional(),
  platformInstanceId: hex(16).optional(),
  sgxType: z.string().optional(),
  dynamicPlatform: z.boolean().optional(),
  cachedKeys: z.boolean().optional(),
  smtEnabled: z.boolean().optional(),
  simulated: z.boolean(),
});
export type QuoteClaims = z.infer<typeof QuoteClaims>;

export const CollateralSummary = z.object({
  id: hex(32),
  tcbEvaluationDataNumber: z.number().int(),
  qeEvaluationDataNumber: z.number().int().optional(),
  tcbInfoIssueDate: z.string(),
  earliestIssue: z.string(),
  earliestExpiration: z.string(),
});
export type CollateralSummary = z.infer<typeof CollateralSummary>;

/** JOSE `typ` of a verdict. */
export const VERDICT_TYP = 'siegel-verdict+jwt';
export const VERDICT_ISSUER = 'siegel:quote-verifier';

/**
 * Payload of the verdict: a JWS (ES256, typ {@link VERDICT_TYP}) signed by the quote-verifier. Refusals are signed as well,
 * so that "no" cannot be forged either. It lives for a minute: it answers one request, it is not a credential.
 */
export const VerdictClaims = z.object({
  iss: z.literal(VERDICT_ISSUER),
  iat: z.number().int(),
  exp: z.number().int(),
  /** The request's `requestId`. */
  rid: z.string(),
  tenant: z.string(),
  verified: z.boolean(),
  evidence: z.object({
    /** SHA-256 of the evidence bytes as received. */
    sha256: hex(32),
    /** SHA-256 of the signed region: the identity of the quote (its signature is malleable). */
    signedRegionSha256: hex(32).optional(),
    format: z.string(),
  }),
  claims: QuoteClaims.optional(),
  collateral: CollateralSummary.optional(),
  trustRoot: z.string().optional(),
  /**
   * SHA-256 over what the TCB status rests on besides the collateral: the PCK certificate, the identity and SVN of the quoting
   * enclave, the SVNs of the TDX module. Evidence with the same key has the same status under the same collateral. Only where verified.
   */
  appraisalKey: hex(32).optional(),
  error: z.object({ code: z.string(), message: z.string(), step: z.string().optional() }).optional(),
});
export type VerdictClaims = z.infer<typeof VerdictClaims>;

/** Reply on `SUBJECTS.verify`. */
export const VerifyReply = z.object({ verdict: z.string().max(16_384) });
export type VerifyReply = z.infer<typeof VerifyReply>;
