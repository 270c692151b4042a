import { port, serviceEnvironment } from '#platform';
import { z } from 'zod';
import { anjunaEnvironment } from './wrappers/anjuna/environment.js';
import { fortanixEnvironment } from './wrappers/fortanix/environment.js';
import { occlumEnvironment } from './wrappers/occlum/environment.js';
import { raTlsEnvironment } from './wrappers/ra-tls/environment.js';
import { sconeEnvironment } from './wrappers/scone/environment.js';
import { trusteeEnvironment } from './wrappers/trustee/environment.js';

/** Configuration of key-release; see docs/operations.md for what each variable means to an operator. */
export const keyReleaseEnvironment = serviceEnvironment.extend({
  SIEGEL_HTTP_PORT: port.default(8443),
  SIEGEL_PUBLIC_URL: z
    .url({ protocol: /^https$/ })
    .refine((url) => !url.endsWith('/'), 'must not end with a slash')
    .describe('Base URL that enclaves and relying parties use; the issuer of tokens'),
  SIEGEL_TLS_CERT_FILE: z
    .string()
    .optional()
    .describe('PEM chain of this server; without it the mesh CA issues one'),
  SIEGEL_TLS_KEY_FILE: z.string().optional(),
  SIEGEL_TLS_NAMES: z
    .string()
    .default('localhost,127.0.0.1')
    .describe('DNS names and IP addresses of this server'),
  SIEGEL_TENANT_HOSTS: z
    .string()
    .default('')
    .describe(
      'host=tenant pairs, comma separated; a host that is not listed belongs to SIEGEL_DEFAULT_TENANT',
    ),
  SIEGEL_DEFAULT_TENANT: z
    .string()
    .optional()
    .describe('Tenant of unlisted hosts; without it they are refused'),
  SIEGEL_TRUST_DOMAIN: z.string().default('siegel.local').describe('SPIFFE trust domain of the mesh CA'),
  SIEGEL_PKI_DIR: z.string().describe('Folder of the mesh CA, mode 0700'),
  SIEGEL_TOKEN_KEY_DIR: z.string().describe('Folder of the token signing keys (ES256)'),
  SIEGEL_EMITTER_KEY_FILE: z.string().describe('Ed25519 key that signs audit events'),
  SIEGEL_MANIFEST_KEY_FILE: z.string().describe('ES256 key that signs manifest records'),
  SIEGEL_CHALLENGE_KEY_FILE: z.string().describe('32 random bytes shared by all replicas'),
  SIEGEL_ADMIN_TOKEN_FILE: z.string().describe('Bearer token of the admin API'),
  SIEGEL_VAULTS_FILE: z.string().describe('JSON: the vaults and how to reach them'),
  SIEGEL_AKV_KEYS_FILE: z
    .string()
    .optional()
    .describe('JSON: keys for release in the protocol of Azure Key Vault, and whose tokens count'),
  SIEGEL_VAULT_CHECK_SECONDS: z.coerce
    .number()
    .int()
    .min(5)
    .max(3_600)
    .default(60)
    .describe('How often each vault is asked whether it answers to this service'),
  SIEGEL_SIGNERS_FILE: z
    .string()
    .optional()
    .describe('JSON: which signers are keys of a vault; without it all are local'),
  SIEGEL_TOKEN_KEY_DAYS: z.coerce
    .number()
    .min(0)
    .max(3_650)
    .default(0)
    .describe('How long a local token key signs before a new one follows; 0 is for ever'),
  SIEGEL_ROTATION_POLL_SECONDS: z.coerce
    .number()
    .min(1)
    .max(86_400)
    .default(300)
    .describe('Longest time after which a change of a granted object in its vault is noticed without a hint'),
  SIEGEL_EVENT_GRID_SECRET_FILE: z
    .string()
    .optional()
    .describe('Secrets of which Event Grid sends one as the query parameter "secret", one per line'),
  SIEGEL_EVENT_GRID_ISSUER: z
    .url()
    .optional()
    .describe('Issuer of the Entra tokens that Event Grid sends; with audience and JWKS address'),
  SIEGEL_EVENT_GRID_AUDIENCE: z.string().min(1).optional(),
  SIEGEL_EVENT_GRID_JWKS_URL: z.url({ protocol: /^https$/ }).optional(),
  SIEGEL_EVENT_GRID_CA_FILE: z
    .string()
    .optional()
    .describe('PEM of the authority of that address, besides the system'),
  SIEGEL_STREAM_MAX: z.coerce
    .number()
    .int()
    .min(0)
    .max(100_000)
    .default(10_000)
    .describe('Live session streams at once; more are refused with OVERLOADED'),
  SIEGEL_STREAM_HEARTBEAT_MS: z.coerce.number().int().min(100).max(300_000).default(15_000),
  SIEGEL_LOG_ORIGIN: z
    .string()
    .describe('Origin of the audit logs; the log of a tenant is <origin>/<tenant>'),
  SIEGEL_TOKEN_TTL_SECONDS: z.coerce.number().int().min(30).max(900).default(900),
  SIEGEL_VERIFY_TIMEOUT_MS: z.coerce.number().int().min(100).max(60_000).default(5_000),
  SIEGEL_AUDIT_TIMEOUT_MS: z.coerce.number().int().min(100).max(60_000).default(3_000),
  SIEGEL_MAX_IN_FLIGHT: z.coerce.number().int().min(1).max(65_536).default(4_096),
  SIEGEL_APPRAISAL_INTERVAL_SECONDS: z.coerce
    .number()
    .int()
    .min(1)
    .max(86_400)
    .default(3_600)
    .describe('How often the platforms of live sessions are judged again, besides when collateral changes'),
  SIEGEL_APPRAISAL_MAX_AGE_SECONDS: z.coerce
    .number()
    .int()
    .min(60)
    .max(30 * 86_400)
    .default(86_400)
    .describe('Age of the last appraisal beyond which tokens are no longer renewed'),
  SIEGEL_GRAMINE_PORT: port.default(0).describe('Port of Gramine Secret Provisioning; 0: off'),
  SIEGEL_GRAMINE_HOST: z.string().optional().describe('Its address; default SIEGEL_HTTP_HOST'),
  SIEGEL_GRAMINE_TLS_NAMES: z
    .string()
    .optional()
    .describe(
      'DNS names and IP addresses of its server certificate; default SIEGEL_TLS_NAMES and the hosts of tenants with one label before them',
    ),
  SIEGEL_GRAMINE_CA_DIR: z
    .string()
    .optional()
    .describe('Folder of its authority, mode 0700; default gramine-ca in SIEGEL_STATE_DIR'),
  SIEGEL_GRAMINE_MAX_CONNECTIONS: z.coerce.number().int().min(1).max(65_536).default(1_024),
  SIEGEL_GRAMINE_TIMEOUT_MS: z.coerce
    .number()
    .int()
    .min(100)
    .max(60_000)
    .default(10_000)
    .describe('For the handshake, for the request, and for the peer to close'),
  SIEGEL_MARBLERUN_FILE: z
    .string()
    .optional()
    .describe('JSON: the MarbleRun deployments that this service is the coordinator of; without it: off'),
  SIEGEL_MARBLERUN_CLIENT_PORT: port.default(4433).describe('Port of the REST API of MarbleRun clients'),
  SIEGEL_MARBLERUN_MESH_PORT: port.default(2001).describe('Port of the gRPC of marbles'),
  SIEGEL_MARBLERUN_HOST: z.string().optional().describe('Address of both; default SIEGEL_HTTP_HOST'),
  SIEGEL_MARBLERUN_MAX_CONNECTIONS: z.coerce.number().int().min(1).max(65_536).default(1_024),
  SIEGEL_MARBLERUN_TIMEOUT_MS: z.coerce
    .number()
    .int()
    .min(100)
    .max(60_000)
    .default(10_000)
    .describe('For the handshake, and for a request to arrive'),
  ...raTlsEnvironment,
  ...anjunaEnvironment,
  ...occlumEnvironment,
  ...fortanixEnvironment,
  ...trusteeEnvironment,
  ...sconeEnvironment,
  SIEGEL_MANIFEST_REPLICAS: z.coerce.number().int().min(1).max(5).default(1),
});
export type KeyReleaseEnvironment = z.output<typeof keyReleaseEnvironment>;
export const KEY_RELEASE_ENVIRONMENT = Symbol('KEY_RELEASE_ENVIRONMENT');
