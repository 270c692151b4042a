import { z } from 'zod';
import { hex } from '../../messages/verify.js';
import { ConditionRecord, envelopeShape, EvidenceRecord } from '../envelope.js';

const shape = {
  /** The protocol in which the token was asked for: `maa`. */
  protocol: z.string().max(32),
  /** Kind of attestation, as the protocol names it: `SgxEnclave`, `OpenEnclave`, `TdxVm`. */
  kind: z.string().max(32),
  apiVersion: z.string().max(32).optional(),
  /** `iss` of the token. */
  issuer: z.string().max(512),
  evidence: EvidenceRecord.optional(),
  /** SHA-256 of the data that the caller says the evidence binds: the data itself is the caller's. */
  runtimeDataSha256: hex(32).optional(),
  initTimeDataSha256: hex(32).optional(),
  /** Claim `x-ms-policy-hash` of the policy that decided. */
  policyHash: z.string().max(64),
  /** Conditions of the tenant, then the rules of the policy by their line. */
  conditions: z.array(ConditionRecord).max(64),
};

/** A token was issued to whoever showed the evidence; logged before the token leaves. */
export const TokenIssued = z.strictObject({
  ...envelopeShape,
  type: z.literal('token.issued'),
  data: z.strictObject({
    ...shape,
    tokenId: z.string().max(64),
    expiresAt: z.iso.datetime({ offset: false }),
  }),
});

/** Evidence was refused a token. */
export const TokenRefused = z.strictObject({
  ...envelopeShape,
  type: z.literal('token.refused'),
  data: z.strictObject(shape),
});

/** A draft policy was tried on evidence; what came of it was not signed and is no token. */
export const TokenDrafted = z.strictObject({
  ...envelopeShape,
  type: z.literal('token.drafted'),
  data: z.strictObject({ ...shape, permitted: z.boolean() }),
});
