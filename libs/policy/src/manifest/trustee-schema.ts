import { z } from 'zod';
import { FORMATS } from './formats.js';
import { GRAMINE_ENCODINGS } from './gramine-schema.js';
import { list, text } from './schema-parts.js';

export const TrusteeSchema = z.strictObject({
  resources: list(
    z.strictObject({
      path: text(FORMATS.resourcePath).describe('repository/type/tag, as in kbs:///repository/type/tag'),
      secret: text(FORMATS.objectAlias).describe('Alias of a secret of this workload'),
      encoding: z
        .enum(GRAMINE_ENCODINGS)
        .optional()
        .describe("How the vault's text stands for the resource's bytes; default none: as they are"),
    }),
    256,
  ).describe('Resources that the workload may read'),
});
export type TrusteeSection = z.infer<typeof TrusteeSchema>;
