import { z } from 'zod';
import {
  CertificateRecord,
  ConditionRecord,
  envelopeShape,
  EvidenceRecord,
  GrantRecord,
  ManifestReference,
} from '../envelope.js';

/** The wrapper protocol through which the enclave came. */
const Protocol = z.string().max(32);
const BoundKey = z.string().max(64);

/** An enclave attested and was granted its release; logged before the answer leaves. */
export const AttestationGranted = z.strictObject({
  ...envelopeShape,
  type: z.literal('attestation.granted'),
  data: z.strictObject({
    protocol: Protocol,
    evidence: EvidenceRecord,
    /** RFC 7638 thumbprint of the key that the evidence binds. */
    boundKey: BoundKey,
    binding: z.string().max(32),
    challenge: z.boolean(),
    manifest: ManifestReference,
    grants: z.array(GrantRecord).max(256),
    certificate: CertificateRecord.optional(),
    /** What held, where a protocol brings a policy of its own; the conditions of our manifests follow from its digest. */
    conditions: z.array(ConditionRecord).max(64).optional(),
    /** Absent where the protocol issues no attestation token. */
    tokenId: z.string().max(64).optional(),
  }),
});

/** An enclave was refused; `reason` and the failed conditions say why. */
export const AttestationDenied = z.strictObject({
  ...envelopeShape,
  type: z.literal('attestation.denied'),
  data: z.strictObject({
    protocol: Protocol,
    evidence: EvidenceRecord.optional(),
    boundKey: BoundKey.optional(),
    binding: z.string().max(32).optional(),
    workloadHint: z.string().max(128).optional(),
    manifest: ManifestReference.optional(),
    conditions: z.array(ConditionRecord).max(64),
  }),
});
