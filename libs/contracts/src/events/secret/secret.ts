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
