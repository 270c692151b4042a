import { TENANT_PATTERN } from '#contracts';
import { AttestationAuthorities } from '#pki';
import { parseConfiguration, readConfigurationText } from '#platform';
import { type LintProblem, parseReleasePolicy, type ReleasePolicy } from '#policy';
import { hash } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { KEY_FORMATS, type KeyFormat } from './key-material.js';

const KeyEntry = z.strictObject({
  /** Name of a vault of SIEGEL_VAULTS_FILE. */
  vault: z.string().min(1).max(64),
  objectName: z.string().regex(/^[0-9A-Za-z-]{1,127}$/),
  /** Only this version; without it every version that is enabled, the latest by default. */
  objectVersion: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .exactOptional(),
  format: z.enum(KEY_FORMATS).default('pkcs8'),
  /** Relative to the keys file: a Key Vault release policy, grammar 1.0.0. */
  releasePolicyFile: z.string().min(1),
  /** How old a cached copy may be while the vault cannot be reached. */
  maxStaleSeconds: z.number().int().min(0).max(604_800).default(0),
});

const TenantEntry = z.strictObject({
  /** Attestation services by issuer, exactly as `iss` has it, each with its JWKS in a file. */
  authorities: z.record(
    z.url({ protocol: /^https$/ }).max(512),
    z.strictObject({ jwksFile: z.string().min(1) }),
  ),
  /** Tokens that were issued longer ago are refused, whatever their `exp` says. */
  maxTokenAgeSeconds: z.number().int().min(30).max(86_400).default(900),
  keys: z.record(z.string().regex(/^[0-9A-Za-z-]{1,127}$/), KeyEntry),
});

const KeysFile = z.strictObject({
  tenants: z.record(z.string().regex(TENANT_PATTERN), TenantEntry),
  /** RSA certificate chain and key that sign releases; without it the mesh CA certifies a key that lives in memory. */
  signing: z.strictObject({ certificateFile: z.string().min(1), keyFile: z.string().min(1) }).exactOptional(),
  /** `resource` of the authentication challenge; without it the parent domain of SIEGEL_PUBLIC_URL. */
  resource: z.url({ protocol: /^https$/ }).exactOptional(),
});

export interface ReleasableKey {
  readonly vault: string;
  readonly objectName: string;
  readonly objectVersion: string | undefined;
  readonly format: KeyFormat;
  readonly maxStaleSeconds: number;
  readonly policy: ReleasePolicy;
  /** The policy as it stands in its file. */
  readonly policyText: string;
  readonly policySha256: string;
}

export interface TenantKeys {
  readonly authorities: AttestationAuthorities;
  readonly maxTokenAgeSeconds: number;
  readonly keys: ReadonlyMap<string, ReleasableKey>;
}

export interface KeysConfiguration {
  readonly tenants: ReadonlyMap<string, TenantKeys>;
  readonly signing: { readonly certificatePem: string; readonly keyPem: string } | undefined;
  readonly resource: string | undefined;
  /** What the linter says of the policies, by file; they are in force all the same. */
  readonly warnings: readonly { readonly file: string; readonly problem: LintProblem }[];
  /** SHA-256 over all files: whether anything changed. */
  readonly digest: string;
}

/** Reads the keys file and everything that it names. @throws Error with a sentence for the operator, which names the file */
export function readKeysFile(file: string): KeysConfiguration {
  const texts: string[] = [];
  const folder = dirname(resolve(file));
  const read = (path: string): string => {
    const text = readConfigurationText(resolve(folder, path));
    texts.push(text);
    return text;
  };
  const parsed = parseConfiguration(KeysFile, read(resolve(file)), file);
  const warnings: { file: string; problem: LintProblem }[] = [];
  const tenants = new Map<string, TenantKeys>();
  for (const [tenant, entry] of Object.entries(parsed.tenants)) {
    const authorities = new AttestationAuthorities();
    for (const [issuer, { jwksFile }] of Object.entries(entry.authorities)) {
      try {
        authorities.set(issuer, parseConfiguration(z.unknown(), read(jwksFile), jwksFile));
      } catch (error) {
        throw new Error(`${jwksFile}: ${(error as Error).message}`, { cause: error });
      }
    }
    const keys = new Map<string, ReleasableKey>();
    for (const [name, key] of Object.entries(entry.keys)) {
      const policyText = read(key.releasePolicyFile);
      const result = parseReleasePolicy(policyText);
      if (!result.ok) {
        const [problem] = result.problems;
        throw new Error(
          `${key.releasePolicyFile}:${problem?.line ?? 1}: ${problem?.code ?? ''}: ${problem?.message ?? 'not a release policy'}`,
        );
      }
      warnings.push(...result.warnings.map((problem) => ({ file: key.releasePolicyFile, problem })));
      const { policy } = result;
      const { vault, objectName, objectVersion, format, maxStaleSeconds } = key;
      const policySha256 = hash('sha256', policyText, 'hex');
      keys.set(name.toLowerCase(), {
        ...{ vault, objectName, objectVersion, format, maxStaleSeconds },
        ...{ policy, policyText, policySha256 },
      });
    }
    tenants.set(tenant, { authorities, maxTokenAgeSeconds: entry.maxTokenAgeSeconds, keys });
  }
  const { signing, resource } = parsed;
  return {
    tenants,
    signing: signing && {
      certificatePem: read(signing.certificateFile),
      keyPem: read(signing.keyFile),
    },
    resource,
    warnings,
    digest: hash('sha256', JSON.stringify(texts), 'hex'),
  };
}
