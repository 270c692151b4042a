import { TENANT_PATTERN } from '#contracts';
import { ConfigurationError, configuredBy, readConfigurationFile } from '#platform';
import { isIP } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import type { DeploymentSettings } from '../interface.js';

const VARIABLE = 'SIEGEL_MARBLERUN_FILE';

const HostName = z
  .string()
  .max(253)
  .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'a host name in lower case');

const DeploymentConfig = z.strictObject({
  tenant: z.string().regex(TENANT_PATTERN, 'a tenant name (a DNS label)'),
  hosts: z.array(HostName).max(64).default([]),
  default: z.boolean().default(false),
  names: z.array(z.string().min(1).max(253)).max(64).default(['localhost']),
  sealDir: z.string().min(1).exactOptional(),
  /** What the sealing key is wrapped with: 32 bytes in a file of mode 0600 (made where it is missing), or as base64 in a secret of a vault. */
  sealKey: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('file'), path: z.string().min(1) }),
      z.strictObject({
        kind: z.literal('vault'),
        vault: z.string().min(1),
        objectName: z.string().min(1),
        objectVersion: z.string().min(1).exactOptional(),
      }),
    ])
    .exactOptional(),
  keys: z.enum(['P-256', 'P-384']).default('P-256'),
  simulation: z.boolean().default(false),
  /** Vaults that its manifests may name; the users of a manifest are no administrators of the service. */
  vaults: z.array(z.string().min(1).max(63)).max(64).default([]),
  /** Who may set a manifest where there is none: an operator, anybody with exactly the manifest of this SHA-256, or anybody. */
  firstManifest: z
    .union([z.enum(['operator', 'first-caller']), z.string().regex(/^[0-9a-f]{64}$/)])
    .default('operator'),
  /** PEM files of client certificates that act as operators, besides the admin token. */
  operators: z.array(z.string().min(1)).max(64).default([]),
  /** `upstream` accepts what MarbleRun's coordinator accepts, misspelt members included. */
  manifestChecks: z.enum(['strict', 'upstream']).default('strict'),
  /** A manifest that is set at start where there is none. */
  startupManifest: z.string().min(1).exactOptional(),
  quote: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('none') }),
      z.strictObject({ kind: z.literal('gramine'), dir: z.string().min(1).default('/dev/attestation') }),
      z.strictObject({ kind: z.literal('exec'), command: z.array(z.string().min(1)).min(1).max(32) }),
    ])
    .default({ kind: 'none' }),
  /** Failed recovery attempts of one address in a minute. */
  recoveryAttemptsPerMinute: z.number().int().min(1).max(10_000).default(10),
});
const DeploymentsFile = z.strictObject({
  deployments: z
    .record(
      z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'a name of 1 to 63 of a-z 0-9 . _ -'),
      DeploymentConfig,
    )
    .refine((all) => Object.keys(all).length > 0, 'names no deployment'),
});

export type SealKeyConfig = NonNullable<z.output<typeof DeploymentConfig>['sealKey']>;
export type QuoteConfig = z.output<typeof DeploymentConfig>['quote'];

/** Everything that the operator says of one deployment; paths are absolute. */
export interface DeploymentOptions extends DeploymentSettings {
  readonly sealDir: string;
  readonly sealKey: SealKeyConfig;
  readonly firstManifest: string;
  readonly operators: readonly string[];
  readonly manifestChecks: 'strict' | 'upstream';
  readonly startupManifest: string | undefined;
  readonly quote: QuoteConfig;
  readonly recoveryAttemptsPerMinute: number;
}

/**
 * Reads the deployments. Relative paths are relative to the file; state goes to `marblerun/<name>` below `stateDir` unless said otherwise.
 * @throws ConfigurationError
 */
export function readDeployments(file: string, stateDir: string, simulation: boolean): DeploymentOptions[] {
  const config = configuredBy(VARIABLE, () => readConfigurationFile(DeploymentsFile, file));
  const base = dirname(resolve(file));
  const options = Object.entries(config.deployments).map(([name, given]): DeploymentOptions => {
    if (given.simulation && !simulation)
      refuse(`${name}: simulation needs SIEGEL_SIMULATION, as marbles without a quote are admitted`);
    for (const text of given.names) {
      if (isIP(text) === 0 && !/^(\*\.)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(text))
        refuse(`${name}: "${text}" is neither a DNS name nor an IP address`);
    }
    const sealDir = resolve(base, given.sealDir ?? join(resolve(stateDir), 'marblerun', name));
    const { sealKey } = given;
    return {
      name,
      tenant: given.tenant,
      hosts: given.hosts,
      isDefault: given.default || Object.keys(config.deployments).length === 1,
      names: given.names,
      keys: given.keys,
      simulation: given.simulation,
      vaults: given.vaults,
      sealDir,
      sealKey:
        sealKey === undefined
          ? { kind: 'file', path: `${sealDir}.key` }
          : sealKey.kind === 'file'
            ? { kind: 'file', path: resolve(base, sealKey.path) }
            : sealKey,
      firstManifest: given.firstManifest,
      operators: given.operators.map((path) => resolve(base, path)),
      manifestChecks: given.manifestChecks,
      startupManifest: given.startupManifest === undefined ? undefined : resolve(base, given.startupManifest),
      quote: given.quote,
      recoveryAttemptsPerMinute: given.recoveryAttemptsPerMinute,
    };
  });
  requireDistinct(options);
  return options;
}

function requireDistinct(options: readonly DeploymentOptions[]): void {
  const hosts = options.flatMap((each) => each.hosts);
  const twice = hosts.find((host, at) => hosts.indexOf(host) !== at);
  if (twice !== undefined) refuse(`the host "${twice}" belongs to two deployments`);
  if (options.filter(({ isDefault }) => isDefault).length > 1)
    refuse('more than one deployment is the default');
  for (const { name, hosts: own, isDefault } of options) {
    if (own.length === 0 && !isDefault) refuse(`${name}: no host leads to it`);
  }
  const folders = options.map(({ sealDir }) => sealDir);
  const shared = folders.find((folder, at) => folders.indexOf(folder) !== at);
  if (shared !== undefined) refuse(`two deployments have the folder "${shared}"`);
}

function refuse(message: string): never {
  throw new ConfigurationError([{ variable: VARIABLE, message }]);
}
