import { milliseconds, port } from '#platform';
import { z } from 'zod';

/** Configuration of the node agent; see docs/wrappers/fortanix.md. It has no NATS user and no key: nothing of it is trusted. */
export const agentEnvironment = z.object({
  SIEGEL_HTTP_HOST: z.string().default('127.0.0.1'),
  SIEGEL_HTTP_PORT: port.default(9092),
  SIEGEL_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  SIEGEL_AESM_SOCKET: z
    .string()
    .startsWith('/')
    .default('/var/run/aesmd/aesm.socket')
    .describe('Unix socket of Intel aesmd on this node'),
  SIEGEL_AESM_TIMEOUT_MS: milliseconds.default(30_000).describe('For one call of aesmd'),
  SIEGEL_AESM_MAX_QUOTES: z.coerce
    .number()
    .int()
    .min(1)
    .max(256)
    .default(16)
    .describe('Quotes that are made or waited for at once; more are refused with OVERLOADED'),
  SIEGEL_AGENT_ISSUER_URL: z
    .url({ protocol: /^https$/ })
    .refine((url) => !url.endsWith('/'), 'must not end with a slash')
    .describe('Base URL of key-release, which decides and issues'),
  SIEGEL_AGENT_ISSUER_CA_FILE: z
    .string()
    .optional()
    .describe('PEM of the authority of that address; the system authorities without it'),
  SIEGEL_AGENT_ISSUER_TIMEOUT_MS: milliseconds.default(15_000),
  SIEGEL_AGENT_TASK_SECONDS: z.coerce
    .number()
    .int()
    .min(1)
    .max(86_400)
    .default(3_600)
    .describe('How long the outcome of a certificate request can be asked for'),
  SIEGEL_AGENT_MAX_TASKS: z.coerce.number().int().min(1).max(65_536).default(1_024),
});
export type AgentEnvironment = z.output<typeof agentEnvironment>;
export const AGENT_ENVIRONMENT = Symbol('AGENT_ENVIRONMENT');
