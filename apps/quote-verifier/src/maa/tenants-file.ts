import { TENANT_PATTERN } from '#contracts';
import { readConfigurationFile, readConfigurationText } from '#platform';
import { type MaaPolicy, maaPolicyHash, MaaPolicyError, parseMaaPolicy } from '#policy';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { ATTESTATION_KINDS, type AttestationKind } from './attestation-kind.js';
import { defaultPolicy } from './default-policies.js';
import { MAX_TOKEN_SECONDS } from './maa-environment.js';

const TCB_STATUSES = [
  'UpToDate',
  'SWHardeningNeeded',
  'ConfigurationNeeded',
  'ConfigurationAndSWHardeningNeeded',
  'OutOfDate',
  'OutOfDateConfigurationNeeded',
  'TDRelaunchAdvised',
  'TDRelaunchAdvisedConfigurationNeeded',
] as const;
const HOST = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

const TenantEntry = z.strictObject({
  /** `iss` and base of all addresses: https, no trailing slash, no path (clients resolve absolute paths against it). */
  issuer: z
    .url({ protocol: /^https$/ })
    .max(512)
    .refine(
      (url) => url === new URL(url).origin,
      'must be scheme and host alone: no path, no trailing slash',
    ),
  /** Further host names of the same tenant, without port. */
  hosts: z.array(z.string().toLowerCase().regex(HOST)).max(16).default([]),
  tcb: z
    .strictObject({
      accept: z.array(z.enum(TCB_STATUSES)).min(1).default(['UpToDate', 'SWHardeningNeeded']),
      minEvaluationDataNumber: z.number().int().min(0).exactOptional(),
      /** Advisories that must not apply, whatever the status. */
      refuseAdvisories: z
        .array(z.string().regex(/^INTEL-SA-\d{5}$/))
        .max(256)
        .default([]),
    })
    .default({ accept: ['UpToDate', 'SWHardeningNeeded'], refuseAdvisories: [] }),
  /** Whether debug enclaves, whose memory anybody can read, get tokens. */
  debug: z.boolean().default(false),
  /** Policy texts by kind of attestation, relative to this file. */
  policies: z.partialRecord(z.enum(ATTESTATION_KINDS), z.string().min(1)).default({}),
  tokenSeconds: z.number().int().min(60).max(MAX_TOKEN_SECONDS).default(600),
  /** Whether callers may try draft policies on their evidence (answered unsigned). */
  drafts: z.boolean().default(true),
});

const TenantsFile = z.strictObject({
  tenants: z.record(z.string().regex(TENANT_PATTERN), TenantEntry),
});

export interface TenantPolicy {
  readonly text: string;
  readonly policy: MaaPolicy;
  readonly hash: string;
}

export type TcbRules = z.output<typeof TenantEntry>['tcb'];

export interface MaaTenant {
  readonly name: string;
  readonly issuer: string;
  readonly tcb: TcbRules;
  readonly debug: boolean;
  readonly tokenSeconds: number;
  readonly drafts: boolean;
  readonly policies: ReadonlyMap<AttestationKind, TenantPolicy>;
}

/** The tenants of the API, found by the host that a request names. */
export class MaaTenants {
  private readonly byHost = new Map<string, MaaTenant>();

  private constructor(readonly all: readonly MaaTenant[]) {}

  /** The tenant of a Host header, whatever port it names. */
  at(host: string | undefined): MaaTenant | undefined {
    return host === undefined ? undefined : this.byHost.get(host.toLowerCase().replace(/:\d{1,5}$/, ''));
  }

  /** @throws Error with a sentence for the operator, which names the file */
  static read(file: string): MaaTenants {
    const path = resolve(file);
    const parsed = readConfigurationFile(TenantsFile, path);
    const tenants = new MaaTenants(
      Object.entries(parsed.tenants).map(([name, entry]) => {
        const { issuer, tcb, debug, tokenSeconds, drafts } = entry;
        const policies = new Map(
          ATTESTATION_KINDS.map((kind) => {
            const named = entry.policies[kind];
            return [
              kind,
              named === undefined
                ? tenantPolicy(defaultPolicy(kind, debug), 'default policy')
                : tenantPolicy(readConfigurationText(resolve(dirname(path), named)), named),
            ];
          }),
        );
        return { name, issuer, tcb, debug, tokenSeconds, drafts, policies };
      }),
    );
    if (tenants.all.length === 0) throw new Error(`${file}: names no tenant`);
    for (const tenant of tenants.all) {
      const { hosts } = parsed.tenants[tenant.name] ?? { hosts: [] };
      for (const host of new Set([new URL(tenant.issuer).hostname, ...hosts])) {
        if (tenants.byHost.has(host)) throw new Error(`${file}: the host ${host} belongs to two tenants`);
        tenants.byHost.set(host, tenant);
      }
    }
    return tenants;
  }
}

/** @throws Error with place and reason */
function tenantPolicy(text: string, source: string): TenantPolicy {
  try {
    return { text, policy: parseMaaPolicy(text), hash: maaPolicyHash(text) };
  } catch (error) {
    if (!(error instanceof MaaPolicyError)) throw error;
    throw new Error(`${source}:${error.line}:${error.column}: ${error.code}: ${error.message}`, {
      cause: error,
    });
  }
}
