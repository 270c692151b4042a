import { BINDING_CONVENTIONS } from '#evidence';
import { z } from 'zod';
import { FORMATS } from './formats.js';
import { FortanixSchema } from './fortanix-schema.js';
import { GramineSchema } from './gramine-schema.js';
import { IdentitySchema } from './identity-schema.js';
import { OcclumSchema } from './occlum-schema.js';
import { list, prose, text } from './schema-parts.js';
import { TrusteeSchema } from './trustee-schema.js';

/** TCB statuses in Intel's words (sgx_qve_header.h), best first; `Revoked` is known so that it can be refused by name. */
export const TCB_STATUSES = [
  'UpToDate',
  'SWHardeningNeeded',
  'ConfigurationNeeded',
  'ConfigurationAndSWHardeningNeeded',
  'TDRelaunchAdvised',
  'TDRelaunchAdvisedConfigurationNeeded',
  'OutOfDate',
  'OutOfDateConfigurationNeeded',
  'Revoked',
] as const;
export type TcbStatusName = (typeof TCB_STATUSES)[number];

/** SGX memory protection of a platform (PCK certificate extension 1.2.840.113741.1.13.1.5). */
export const SGX_TYPES = ['Standard', 'Scalable', 'ScalableWithIntegrity'] as const;

const PERMISSION = z.enum(['allow', 'deny']);

export const TcbSchema = z.strictObject({
  accept: z
    .array(z.enum(TCB_STATUSES))
    .min(1)
    .max(TCB_STATUSES.length)
    .optional()
    .describe('Accepted TCB statuses; default UpToDate and SWHardeningNeeded'),
  advisories: z
    .strictObject({
      allow: z
        .array(text(FORMATS.advisory))
        .max(512)
        .optional()
        .describe('If present, every advisory of the platform must be in this list'),
      reject: z
        .array(text(FORMATS.advisory))
        .max(512)
        .optional()
        .describe('None of these may apply to the platform'),
    })
    .optional(),
  minTcbEvaluationDataNumber: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .describe('Lowest accepted tcbEvaluationDataNumber of the collateral'),
  minTcbDate: text(FORMATS.instant).optional().describe('Earliest accepted date of the matched TCB level'),
});

export const PlatformSchema = z.strictObject({
  fmspc: list(text(FORMATS.fmspc), 256).optional().describe('Accepted platform families'),
  instanceIds: list(text(FORMATS.bytes16), 4096)
    .optional()
    .describe('Accepted platform instance IDs (PCK certificate)'),
  ppids: list(text(FORMATS.sha256), 4096).optional().describe('Accepted machines: SHA-256 of the PPID'),
  qeIds: list(text(FORMATS.bytes16), 4096)
    .optional()
    .describe('Accepted machines: identifier of the quoting enclave (SCONE: INTEL_QE_ID)'),
  sgxTypes: list(z.enum(SGX_TYPES), SGX_TYPES.length)
    .optional()
    .describe('Accepted kinds of memory protection'),
  dynamicPlatform: PERMISSION.optional().describe(
    'deny: refuse platforms to which packages can be added (or that do not say)',
  ),
  cachedKeys: PERMISSION.optional().describe(
    'deny: refuse platforms whose root keys are cached by the registration backend (or that do not say)',
  ),
  smt: PERMISSION.optional().describe('deny: refuse platforms with hyper-threading on (or that do not say)'),
});

export const BindingSchema = z.strictObject({
  convention: z
    .union([z.enum(BINDING_CONVENTIONS), list(z.enum(BINDING_CONVENTIONS), BINDING_CONVENTIONS.length)])
    .optional()
    .describe('How report data binds the key; default sha256-spki'),
  challenge: z
    .enum(['required', 'optional'])
    .optional()
    .describe('required: the report data must also hold a challenge of this service; default optional'),
});

export const SessionSchema = z.strictObject({
  ttl: text(FORMATS.duration)
    .optional()
    .describe('Lifetime of the attestation token, 1m to 15m; default 15m'),
  lifetime: text(FORMATS.duration)
    .optional()
    .describe('How long releases may be fetched again without a second quote, 1m to 30d; default 24h'),
  onDegraded: z
    .enum(['event', 'revoke'])
    .optional()
    .describe(
      'What happens to sessions whose platform falls below this policy when new collateral arrives; default event',
    ),
});

export const ValiditySchema = z.strictObject({
  notBefore: text(FORMATS.instant).optional(),
  notAfter: text(FORMATS.instant).optional(),
});

export const CertificateSchema = z.strictObject({
  dns: list(text(FORMATS.dnsName), 64).optional().describe('DNS names of the TLS certificate'),
  ips: list(z.union([z.ipv4(), z.ipv6()]), 64)
    .optional()
    .describe('IP addresses of the TLS certificate'),
  spiffe: z
    .union([z.literal(false), text(FORMATS.spiffePath)])
    .optional()
    .describe(
      'Path of the SPIFFE ID below spiffe://<trust domain>/<tenant>; default /<workload>; false for none',
    ),
  ttl: text(FORMATS.duration).optional().describe('Lifetime of the certificate, 5m to 90d; default 24h'),
});

export const SecretSchema = z.strictObject({
  vault: text(FORMATS.name).describe('Name of a vault of the deployment'),
  objectName: text(FORMATS.objectName),
  objectType: z
    .enum(['secret', 'key', 'cert'])
    .describe('secret, or cert: certificate chain and private key as PEM; a key never leaves its vault'),
  objectVersion: text(FORMATS.objectVersion).optional().describe('Default: the latest version'),
  objectAlias: text(FORMATS.objectAlias)
    .optional()
    .describe('Name in the environment or in argv; default objectName'),
  as: z.enum(['env', 'file', 'argv']).describe('How the enclave receives it'),
  path: text(FORMATS.path).optional().describe('File path; required with as: file'),
  mode: text(FORMATS.mode).optional().describe('File permissions in octal, as text; default "0400"'),
  allowExpired: z.boolean().optional().describe('true: release it after its expiry as well'),
  maxStale: text(FORMATS.duration)
    .optional()
    .describe('How old a cached copy may be while the vault cannot be reached; default 0: not at all'),
});

export const WorkloadSchema = z.strictObject({
  description: prose(1024).optional(),
  identity: z
    .union([IdentitySchema, list(IdentitySchema, 64)])
    .describe('One entry, or a list of which one must hold'),
  validity: ValiditySchema.optional().describe('When this workload may be released to'),
  tcb: TcbSchema.optional(),
  platform: PlatformSchema.optional(),
  debug: z
    .boolean()
    .optional()
    .describe('true: also accept debug enclaves, whose memory the host can read; default false'),
  binding: BindingSchema.optional(),
  certificate: CertificateSchema.optional(),
  secrets: z.array(SecretSchema).max(256).optional(),
  argv: z
    .array(z.string().max(32_768))
    .max(1024)
    .optional()
    .describe(
      'Command line; $(NAME) stands for the secret with that alias and as: argv, $$ for a dollar sign',
    ),
  env: z
    .record(text(FORMATS.envName), z.string().max(32_768))
    .optional()
    .describe('Plain values that are no secrets'),
  session: SessionSchema.optional(),
  gramine: GramineSchema.optional().describe("What Gramine's Secret Provisioning clients receive"),
  occlum: OcclumSchema.optional().describe("What Occlum's init clients may ask for"),
  fortanix: FortanixSchema.optional().describe("What clients of Fortanix' em-app are served"),
  trustee: TrusteeSchema.optional().describe("Resources for clients of Trustee's KBS protocol"),
});

export const ManifestSchema = z.strictObject({
  siegel: z.literal('v1').describe('Version of this format'),
  tenant: z
    .strictObject({
      name: text(FORMATS.name).optional(),
      description: prose(1024).optional(),
      contact: prose(256).optional(),
    })
    .optional()
    .describe('For people; which tenant a manifest belongs to is decided where it is stored'),
  vaults: list(text(FORMATS.name), 64).optional().describe('If present, secrets may only name these vaults'),
  defaults: z
    .strictObject({
      tcb: TcbSchema.optional(),
      platform: PlatformSchema.optional(),
      binding: BindingSchema.optional(),
      session: SessionSchema.optional(),
    })
    .optional()
    .describe('Used by every workload that does not have the section itself; sections are not merged'),
  workloads: z.record(text(FORMATS.name), WorkloadSchema).describe('Workloads by name'),
});

/** A manifest as written: optional fields stay absent, so that its digest is that of the author's decision. */
export type Manifest = z.infer<typeof ManifestSchema>;
export type Workload = z.infer<typeof WorkloadSchema>;
export type SecretEntry = z.infer<typeof SecretSchema>;
export type TcbPolicy = z.infer<typeof TcbSchema>;
export type PlatformPolicy = z.infer<typeof PlatformSchema>;
export type SessionPolicy = z.infer<typeof SessionSchema>;
