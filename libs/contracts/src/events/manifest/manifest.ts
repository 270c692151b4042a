import { z } from 'zod';
import { envelopeShape, ManifestReference } from '../envelope.js';

/** A manifest came into force. */
export const ManifestSet = z.strictObject({
  ...envelopeShape,
  type: z.literal('manifest.set'),
  data: z.strictObject({
    manifest: ManifestReference,
    previous: ManifestReference.optional(),
    actor: z.string().max(128),
    workloads: z.array(z.string().max(128)).max(4_096),
  }),
});

/** A stored manifest record was refused: forged, rolled back or unreadable. The one in force stays. */
export const ManifestRefused = z.strictObject({
  ...envelopeShape,
  type: z.literal('manifest.refused'),
  data: z.strictObject({ revision: z.number().int() }),
});
