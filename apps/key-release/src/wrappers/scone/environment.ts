import { port } from '#platform';
import { z } from 'zod';

/** Variables of this wrapper; docs/wrappers/scone.md says what each means to an operator. */
export const sconeEnvironment = {
  SIEGEL_SCONE_PORT: port.default(0).describe('Port of the REST API of SCONE CAS clients; 0: off'),
  SIEGEL_SCONE_HOST: z.string().optional().describe('Its address; default SIEGEL_HTTP_HOST'),
  SIEGEL_SCONE_FILE: z
    .string()
    .optional()
    .describe('JSON: who may create sessions, and which other CAS is trusted; needed with the port'),
  SIEGEL_SCONE_KEY_FILE: z
    .string()
    .optional()
    .describe('Base64 of 32 bytes, shared by all replicas: seals sessions in NATS; needed with the port'),
  SIEGEL_SCONE_MAX_CONNECTIONS: z.coerce.number().int().min(1).max(65_536).default(1_024),
};
