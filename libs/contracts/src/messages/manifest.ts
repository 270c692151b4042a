import { z } from 'zod';
import { TENANT_PATTERN } from '../subjects.js';
import { hex } from './verify.js';

/** JOSE `typ` of a manifest record. */
export const MANIFEST_TYP = 'siegel-manifest+jwt';

/**
 * What stands in the KV store under the tenant's name: a JWS (ES256, typ {@link MANIFEST_TYP}) over these claims. The broker is
 * not trusted, so the record is signed, numbered without gaps and chained to its predecessor.
 */
export const ManifestRecord = z.object({
  tenant: z.string().regex(TENANT_PATTERN),
  version: z.number().int().min(1),
  digest: hex(32),
  previousDigest: hex(32).optional(),
  setAt: z.iso.datetime(),
  actor: z.string().max(128),
  /** The text exactly as it was set. */
  text: z.string().max(262_144),
});
export type ManifestRecord = z.infer<typeof ManifestRecord>;

export const ManifestView = ManifestRecord.extend({ revision: z.number().int() });
export type ManifestView = z.infer<typeof ManifestView>;

export const ManifestHistory = z.object({ history: z.array(ManifestView.omit({ text: true })) });
export type ManifestHistory = z.infer<typeof ManifestHistory>;
