import { milliseconds, serviceEnvironment } from '#platform';
import { z } from 'zod';

/** Configuration of the audit service, beside what every service reads. */
export const auditEnvironment = serviceEnvironment.extend({
  SIEGEL_EMITTER_KEY_FILE: z
    .string()
    .describe('PEM PKCS#8 Ed25519 key with which this service signs its own events; mode 0600'),
  SIEGEL_AUDIT_LOG_KEY_FILE: z
    .string()
    .describe('PEM PKCS#8 Ed25519 key of the log: signs promises and checkpoints; mode 0600'),
  SIEGEL_AUDIT_LOG_PREVIOUS_KEY_FILE: z
    .string()
    .optional()
    .describe('The key that the log had before, while both sign: it names the other one as its successor'),
  SIEGEL_SIGNERS_FILE: z
    .string()
    .optional()
    .describe('JSON: which signers are keys of a vault; of it the log service reads "log"'),
  SIEGEL_AUDIT_TOKEN_FILE: z
    .string()
    .optional()
    .describe(
      'Bearer token of the HTTP API, mode 0600; created at first start. Default: api.token in the state folder',
    ),
  SIEGEL_AUDIT_ACCESS_FILE: z
    .string()
    .optional()
    .describe('JSON: token issuers and client certificates that the HTTP API lets in, and their roles'),
  SIEGEL_AUDIT_TLS_CERT_FILE: z
    .string()
    .optional()
    .describe('PEM of the certificate chain of the HTTP API; without it the API speaks plain HTTP'),
  SIEGEL_AUDIT_TLS_KEY_FILE: z.string().optional().describe('PEM of its private key; mode 0600'),
  SIEGEL_AUDIT_POSTGRES_FILE: z
    .string()
    .optional()
    .describe(
      'File with the URL of the PostgreSQL database that keeps the log, mode 0600; without it the log is in the state folder',
    ),
  SIEGEL_AUDIT_POSTGRES_PARTITION: z
    .enum(['day', 'month'])
    .default('month')
    .describe('Time that one partition of its tables holds, in UTC'),
  SIEGEL_AUDIT_LEASE_MS: milliseconds
    .pipe(z.number().min(1_500).max(60_000))
    .default(2_000)
    .describe('Time without a sign of the replica that sequences after which another takes over'),
  SIEGEL_AUDIT_TILES_BLOB_FILE: z
    .string()
    .optional()
    .describe('JSON: the container of Azure Blob Storage for tiles and checkpoints, instead of a folder'),
  SIEGEL_AUDIT_TILES_DIR: z
    .string()
    .optional()
    .describe(
      'Folder of tiles and checkpoints, the same for all replicas. Default: tree in the state folder',
    ),
  SIEGEL_AUDIT_EVIDENCE: z
    .enum(['off', 'granted', 'all'])
    .default('off')
    .describe(
      'Whether evidence is kept for being judged again: none, that of grants, or that of denials as well',
    ),
  SIEGEL_AUDIT_EVIDENCE_MAX_AGE_HOURS: z.coerce.number().int().min(1).max(87_600).default(720),
  SIEGEL_AUDIT_EVIDENCE_MAX_MEGABYTES: z.coerce.number().int().min(1).max(1_048_576).default(1_024),
  SIEGEL_AUDIT_EVIDENCE_GRACE_SECONDS: z.coerce
    .number()
    .int()
    .min(1)
    .max(120)
    .default(60)
    .describe('Time that evidence may come behind its event before its absence is recorded'),
  SIEGEL_AUDIT_EVIDENCE_KEY_FILE: z
    .string()
    .optional()
    .describe(
      'Key under which evidence is encrypted: 32 bytes in base64, mode 0600; made at first start. Default: evidence.key in the state folder',
    ),
  SIEGEL_AUDIT_CHECKPOINT_INTERVAL_MS: milliseconds
    .default(1_000)
    .describe('Time between checkpoints of a log that grows'),
  SIEGEL_AUDIT_WITNESSES: z
    .string()
    .max(16_384)
    .default('')
    .describe('Witnesses that cosign the checkpoints: "URL VERIFIER-KEY", separated by commas'),
  SIEGEL_AUDIT_GAP_GRACE_MS: milliseconds
    .default(2_000)
    .describe('Time that a missing event may come late before its absence is recorded'),
  SIEGEL_AUDIT_QUEUE_EVENTS: z.coerce
    .number()
    .int()
    .min(1)
    .max(65_536)
    .default(8_192)
    .describe('Events that may wait for a commit; more are refused with AUDIT_BACKPRESSURE'),
  SIEGEL_AUDIT_STREAM_MAX_AGE_HOURS: z.coerce
    .number()
    .int()
    .min(0)
    .max(87_600)
    .default(720)
    .describe('How long JetStream keeps distributed events; 0 is for ever. The log keeps them anyway'),
  SIEGEL_AUDIT_STREAM_REPLICAS: z.coerce.number().int().min(1).max(5).default(1),
});
export type AuditEnvironment = z.infer<typeof auditEnvironment>;

export const AUDIT_ENVIRONMENT = Symbol('AUDIT_ENVIRONMENT');
