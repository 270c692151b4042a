import { z } from 'zod';
import { ManifestSchema } from './schema.js';

/** The manifest's JSON Schema (draft 2020-12), generated from the schema that validates, for editors and other tools. */
export function manifestJsonSchema(): object {
  const schema = z.toJSONSchema(ManifestSchema, { target: 'draft-2020-12', reused: 'inline' });
  return {
    ...schema,
    $id: 'urn:siegel:schema:manifest:v1',
    title: 'Siegel manifest v1',
    description:
      'Which enclaves may have which secrets and certificates. Everything that is not granted is denied.',
  };
}
