import { z } from 'zod';
import {
  CertificateRecord,
  ConditionRecord,
  envelopeShape,
  GrantRecord,
  ManifestReference,
} from '../envelope.js';

/** A session fetched its release again with proof of possession, without a second quote. */
export const ReleaseGranted = z.strictObject({
  ...envelopeShape,
  type: z.literal('release.granted'),
  data: z.strictObject({
    protocol: z.string().max(32),
    boundKey: z.string().max(64),
    manifest: ManifestReference,
    grants: z.array(GrantRecord).max(256),
    certificate: CertificateRecord.optional(),
    /** The token that was issued with it. */
    tokenId: z.string().max(64).optional(),
  }),
});

export const ReleaseDenied = z.strictObject({
  ...envelopeShape,
  type: z.literal('release.denied'),
  data: z.strictObject({
    protocol: z.string().max(32),
    boundKey: z.string().max(64).optional(),
    manifest: ManifestReference.optional(),
    conditions: z.array(ConditionRecord).max(64),
  }),
});
