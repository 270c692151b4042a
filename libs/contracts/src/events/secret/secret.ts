import { z } from 'zod';
import { envelopeShape } from '../envelope.js';

const object = { vault: z.string().max(64), objectName: z.string().max(127), actor: z.string().max(128) };

/** A new version of a secret was written through the admin API (embedded vault). */
export const SecretSet = z.strictObject({
  ...envelopeShape,
  type: z.literal('secret.set'),
  data: z.strictObject({ ...object, version: z.string().max(64) }),
});

export const SecretDeleted = z.strictObject({
  ...envelopeShape,
  type: z.literal('secret.deleted'),
  data: z.strictObject(object),
});

const observed = {
  vault: z.string().max(64),
  objectName: z.string().max(127),
  objectType: z.enum(['secret', 'cert']),
  /** Pinned by the manifest; without it the latest version is meant. */
  pinned: z.string().max(64).optional(),
  /** How this replica came to look. */
  noticedBy: z.enum(['poll', 'hint', 'administration', 'manifest']),
};

/** A granted object has another version now, or can be released again. */
export const SecretRotated = z.strictObject({
  ...envelopeShape,
  type: z.literal('secret.rotated'),
  data: z.strictObject({
    ...observed,
    version: z.string().max(64),
    /** Absent where nothing could be released before. */
    previousVersion: z.string().max(64).optional(),
    requestId: z.string().max(128).optional(),
  }),
});

/** A granted object can no longer be released: disabled, deleted, or outside its validity; the reason's code says which. */
export const SecretWithdrawn = z.strictObject({
  ...envelopeShape,
  type: z.literal('secret.withdrawn'),
  data: z.strictObject({ ...observed, previousVersion: z.string().max(64).optional() }),
});
