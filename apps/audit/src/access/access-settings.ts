import { TENANT_PATTERN } from '#contracts';
import { ConfigurationError, configuredBy, readConfigurationFile } from '#platform';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { ROLES } from './roles.js';

const VARIABLE = 'SIEGEL_AUDIT_ACCESS_FILE';

const role = z.enum(ROLES);
/** `"all"`, or names of tenants. */
const tenants = z.union([z.literal('all'), z.array(z.string().regex(TENANT_PATTERN)).min(1).max(1_024)]);
const httpsUrl = z.url({ protocol: /^https$/ }).max(2_048);

/** Asymmetric signatures alone: a list that could name HS256 or none would be a hole to fall into. */
const algorithm = z.enum(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'EdDSA']);

const roleValue = z.strictObject({ role, tenants: tenants.optional() });

/** One issuer of access tokens, for example Entra ID. */
const issuer = z
  .strictObject({
    /** `iss` of its tokens, byte for byte. */
    issuer: z.string().min(1).max(2_048),
    /** One of them must be in `aud`. */
    audience: z.union([z.string().min(1).max(512), z.array(z.string().min(1).max(512)).min(1).max(16)]),
    /** Where its keys are; else they are discovered. */
    jwksUri: httpsUrl.optional(),
    /** Its OpenID metadata (default: below the issuer). Entra's version 1 tokens need it, as their `iss` is no address of the metadata. */
    metadataUri: httpsUrl.optional(),
    /** PEM of an authority instead of the system's. */
    caFile: z.string().min(1).optional(),
    algorithms: z.array(algorithm).min(1).default(['RS256']),
    /** The claim that holds app roles. */
    rolesClaim: z.string().min(1).max(64).default('roles'),
    /** What a value of it grants; without this, `auditor`, `operator` and `admin` name themselves. */
    roles: z.record(z.string().min(1).max(120), roleValue).optional(),
    /** Tenants of this deployment that its roles are for, where a role does not say it itself. */
    tenants,
    /** Directories (Entra's `tid`) whose tokens count. Required where several sign with the same keys. */
    directories: z.array(z.string().min(1).max(64)).min(1).max(64).optional(),
    /** Client applications (`azp` or `appid`) that may bring tokens; default: any. */
    clients: z.array(z.string().min(1).max(128)).min(1).max(64).optional(),
    maxTokenAgeSeconds: z.number().int().min(60).max(172_800).default(100_800),
    /** How long its keys are used before they are fetched again. A key that it withdraws counts that long. */
    keysMaxAgeSeconds: z.number().int().min(30).max(86_400).default(600),
  })
  .refine(
    ({ issuer: iss, jwksUri, metadataUri }) =>
      jwksUri !== undefined || metadataUri !== undefined || httpsUrl.safeParse(iss).success,
    'needs jwksUri or metadataUri, as the issuer is no https address',
  );
export type IssuerSettings = z.infer<typeof issuer>;

/** A name in a certificate and what it grants. */
const certificate = z
  .strictObject({
    /** A subject alternative name: `uri:spiffe://…`, `dns:…`, `email:…`. */
    san: z
      .string()
      .regex(/^(?:uri|dns|email):[\x21-\x7e]{1,512}$/)
      .optional(),
    /** Attributes of the subject, all of which it must have, each once, for example `{"CN": "alice", "O": "Shop"}`. */
    subject: z
      .record(z.string().regex(/^[A-Za-z0-9.]{1,64}$/), z.string().min(1).max(256))
      .refine((attributes) => Object.keys(attributes).length > 0, 'must name an attribute')
      .optional(),
    roles: z.array(role).min(1).max(ROLES.length),
    tenants,
  })
  .refine(
    ({ san, subject }) => (san === undefined) !== (subject === undefined),
    'needs one of san and subject',
  );
export type CertificateSettings = z.infer<typeof certificate>;

const AccessFile = z.strictObject({
  /** Whether the token of SIEGEL_AUDIT_TOKEN_FILE lets its holder in, as admin of all tenants. */
  embeddedToken: z.boolean().default(true),
  oidc: z.array(issuer).max(16).default([]),
  mtls: z
    .strictObject({
      /** PEM of the authorities of client certificates. */
      clientCaFile: z.string().min(1),
      /** PEM of revocation lists; with it there must be one of every authority in a chain. */
      crlFile: z.string().min(1).optional(),
      certificates: z.array(certificate).min(1).max(1_024),
    })
    .optional(),
});
export type AccessSettings = z.infer<typeof AccessFile>;

/** Who may use the HTTP API; paths in the file are relative to it. @throws ConfigurationError */
export function readAccessFile(path: string | undefined): AccessSettings {
  if (path === undefined) return AccessFile.parse({});
  const data = configuredBy(VARIABLE, () => readConfigurationFile(AccessFile, path));
  const issuers = data.oidc.map(({ issuer: iss }) => iss);
  if (new Set(issuers).size !== issuers.length) throw refused('oidc: an issuer stands there twice');
  if (!data.embeddedToken && data.oidc.length === 0 && data.mtls === undefined)
    throw refused('lets nobody in: no token, no issuer, no certificates');
  const beside = (file: string): string => resolve(dirname(path), file);
  return {
    ...data,
    oidc: data.oidc.map(({ caFile, ...rest }) => ({
      ...rest,
      ...(caFile === undefined ? {} : { caFile: beside(caFile) }),
    })),
    ...(data.mtls === undefined
      ? {}
      : {
          mtls: {
            ...data.mtls,
            clientCaFile: beside(data.mtls.clientCaFile),
            ...(data.mtls.crlFile === undefined ? {} : { crlFile: beside(data.mtls.crlFile) }),
          },
        }),
  };
}

const refused = (message: string) => new ConfigurationError([{ variable: VARIABLE, message }]);
