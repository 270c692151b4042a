import { port } from '#platform';
import { z } from 'zod';

const connections = z.coerce.number().int().min(1).max(65_536).default(1_024);

/** Where the quote in the server certificate of grpc_ratls comes from. */
export const SERVER_QUOTES = ['none', 'gramine-device', 'simulated'] as const;

/** Variables of Occlum's two protocols. */
export const occlumEnvironment = {
  SIEGEL_OCCLUM_AECS_PORT: port.default(0).describe('Port of AECS for Occlum (--init-ra aecs); 0: off'),
  SIEGEL_OCCLUM_AECS_HOST: z.string().optional().describe('Its address; default SIEGEL_HTTP_HOST'),
  SIEGEL_OCCLUM_AECS_MAX_CONNECTIONS: connections,
  SIEGEL_OCCLUM_AECS_TIMEOUT_MS: z.coerce
    .number()
    .int()
    .min(100)
    .max(3_900)
    .default(3_000)
    .describe('Longest time to an answer; the client gives up after 4 seconds'),
  SIEGEL_OCCLUM_RATLS_PORT: port.default(0).describe('Port for Occlum (--init-ra grpc_ratls); 0: off'),
  SIEGEL_OCCLUM_RATLS_HOST: z.string().optional().describe('Its address; default SIEGEL_HTTP_HOST'),
  SIEGEL_OCCLUM_RATLS_MAX_CONNECTIONS: connections,
  SIEGEL_OCCLUM_RATLS_TIMEOUT_MS: z.coerce.number().int().min(100).max(60_000).default(10_000),
  SIEGEL_OCCLUM_RATLS_QUOTES: z
    .enum(SERVER_QUOTES)
    .default('none')
    .describe(
      'Where the quote in its server certificate comes from: gramine-device: /dev/attestation, where this service runs in Gramine; simulated: ' +
        'a folder of that form, in a deployment of simulated evidence',
    ),
  SIEGEL_OCCLUM_RATLS_DEVICE: z
    .string()
    .optional()
    .describe('The folder of SIEGEL_OCCLUM_RATLS_QUOTES=simulated'),
};
