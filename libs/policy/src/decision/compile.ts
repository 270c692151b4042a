import { manifestDigest } from '../manifest/digest.js';
import type { Manifest } from '../manifest/schema.js';
import type { Rule } from './conditions.js';
import type { Grants } from './decision.js';
import { compileGrants } from './grants.js';
import { compileIdentity } from './identity-rules.js';
import type { IdentityVariant } from './identity-rules.js';
import { policyRules } from './policy-rules.js';

/** Thrown by {@link compileManifest} when an option cannot be part of a SPIFFE ID. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError';
  constructor(
    readonly code: 'TRUST_DOMAIN_INVALID' | 'TENANT_INVALID',
    message: string,
  ) {
    super(message);
  }
}

export interface CompileOptions {
  /** Trust domain of the deployment (SPIFFE-ID §2.1). Without one, certificates carry no SPIFFE ID. */
  readonly trustDomain?: string | undefined;
  /** The tenant that owns the manifest, as stored; default `default`. Never taken from the manifest itself. */
  readonly tenant?: string | undefined;
  /** True only in a deployment whose configuration pins a simulated trust root; default false. */
  readonly acceptSimulated?: boolean | undefined;
}

export interface CompiledWorkload {
  readonly name: string;
  readonly variants: readonly IdentityVariant[];
  readonly rules: readonly Rule[];
  readonly grants: Grants;
}

/** A manifest ready for {@link decide}: immutable, to be made once per version. */
export interface CompiledManifest {
  readonly manifest: Manifest;
  /** Content address, SHA-256 hex. */
  readonly digest: string;
  readonly tenant: string;
  readonly acceptSimulated: boolean;
  readonly workloads: ReadonlyMap<string, CompiledWorkload>;
  /** Workloads by the measurement that leads to them, in the manifest's order, each once. */
  readonly byMeasurement: ReadonlyMap<string, readonly CompiledWorkload[]>;
}

const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;
const TENANT = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Compiles a valid manifest (the result of `parseManifest`). Cost is linear in the manifest's size.
 *
 * @throws PolicyError if an option cannot be part of a SPIFFE ID.
 */
export function compileManifest(manifest: Manifest, options: CompileOptions = {}): CompiledManifest {
  const { trustDomain, tenant = 'default' } = options;
  if (trustDomain !== undefined && !TRUST_DOMAIN.test(trustDomain)) {
    throw new PolicyError(
      'TRUST_DOMAIN_INVALID',
      'a trust domain consists of lower-case letters, digits, ".", "-" and "_"',
    );
  }
  if (!TENANT.test(tenant)) {
    throw new PolicyError(
      'TENANT_INVALID',
      'a tenant consists of 1 to 63 lower-case letters, digits and inner hyphens',
    );
  }
  const workloads = new Map<string, CompiledWorkload>();
  const byMeasurement = new Map<string, CompiledWorkload[]>();
  for (const [name, workload] of Object.entries(manifest.workloads)) {
    const identities = Array.isArray(workload.identity) ? workload.identity : [workload.identity];
    const variants = identities.map(compileIdentity);
    const releases = workload.certificate !== undefined || (workload.secrets?.length ?? 0) > 0;
    const compiled: CompiledWorkload = {
      name,
      variants,
      rules: policyRules(workload, manifest.defaults, releases),
      grants: compileGrants(name, workload, manifest.defaults, { trustDomain, tenant }),
    };
    workloads.set(name, compiled);
    for (const key of new Set(variants.flatMap((variant) => variant.keys))) {
      const found = byMeasurement.get(key);
      if (found) found.push(compiled);
      else byMeasurement.set(key, [compiled]);
    }
  }
  return {
    manifest,
    digest: manifestDigest(manifest),
    tenant,
    acceptSimulated: options.acceptSimulated === true,
    workloads,
    byMeasurement,
  };
}
