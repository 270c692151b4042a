import { hostname } from 'node:os';
import { z } from 'zod';
import { flag, list, port } from './environment.js';

/** Variables that every service reads. Apps extend this shape with their own. */
export const serviceEnvironment = z.object({
  SIEGEL_NATS_SERVERS: list.default(['nats://127.0.0.1:4222']).describe('NATS servers, comma separated'),
  SIEGEL_NATS_SEED_FILE: z.string().describe('File with the nkey seed of this service'),
  SIEGEL_NATS_CA_FILE: z
    .string()
    .optional()
    .describe('PEM of the CA of the NATS servers; TLS is required where set'),
  SIEGEL_NATS_INBOX_PREFIX: z
    .string()
    .regex(/^_INBOX_[a-z0-9_]+$/)
    .describe('Inbox prefix of this user: its replies are readable by it alone'),
  SIEGEL_TRUST_FILE: z.string().describe('Trust file: the public keys of the deployment'),
  SIEGEL_STATE_DIR: z.string().describe('Folder of this service, mode 0700'),
  SIEGEL_HTTP_HOST: z.string().default('127.0.0.1'),
  SIEGEL_HTTP_PORT: port,
  SIEGEL_INSTANCE: z
    .string()
    .max(128)
    .default(hostname())
    .describe('Name of this replica in events and logs'),
  SIEGEL_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  SIEGEL_SIMULATION: flag.default(false).describe('Whether this deployment pins a simulated root'),
});
export type ServiceEnvironment = z.infer<typeof serviceEnvironment>;

export const SERVICE_ENVIRONMENT = Symbol('SERVICE_ENVIRONMENT');
