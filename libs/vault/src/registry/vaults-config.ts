import { z } from 'zod';
import { AZURE_CLOUDS, type AzureCloud } from '../azure/clouds.js';
import { isVaultName } from '../object-names.js';
import { ReaderSettings } from '../reader/reader-options.js';

const HttpsOrigin = z
  .url({ protocol: /^https$/, error: 'must be an https:// address' })
  .refine(
    (url) =>
      URL.parse(url)?.pathname === '/' && !url.includes('?') && !url.includes('#') && !url.includes('@'),
    {
      error: 'must be an address without path, query or user',
    },
  );

const IpAddress = z.union([z.ipv4(), z.ipv6()], { error: 'must be an IP address' });

export const AzureIdentityConfig = z.strictObject({
  /** `workload`: AKS workload identity; `managed`: the machine's identity; `default`: a developer's sign-in. */
  kind: z.enum(['workload', 'managed', 'default']).default('workload'),
  tenantId: z
    .string()
    .regex(/^[0-9A-Za-z.-]+$/)
    .max(255)
    .exactOptional(),
  clientId: z.guid().exactOptional(),
  tokenFile: z.string().min(1).exactOptional(),
  authorityHost: HttpsOrigin.exactOptional(),
  disableInstanceDiscovery: z.boolean().exactOptional(),
});

/** How a vault is reached, and as whom. */
export const AzureConnectionConfig = z.strictObject({
  /** `https://<vault>.vault.azure.net` */
  url: HttpsOrigin,
  /** Default: that of the URL's domain. Needed only to use a private domain with one cloud's authority. */
  cloud: z.enum(Object.keys(AZURE_CLOUDS) as [AzureCloud, ...AzureCloud[]]).exactOptional(),
  identity: AzureIdentityConfig.prefault({}),
  /** PEM file with certificate authorities besides the system's. */
  caFile: z.string().min(1).exactOptional(),
  /** Connect to this address instead of resolving the vault's name; TLS still checks the name. */
  connectAddress: IpAddress.exactOptional(),
  timeoutSeconds: z.number().positive().max(120).default(10),
});
export type AzureConnectionConfig = z.infer<typeof AzureConnectionConfig>;

export const AzureVaultConfig = AzureConnectionConfig.extend({
  kind: z.literal('azure'),
  /** Secret whose read proves the connection; it need not exist. */
  probeSecret: z
    .string()
    .regex(/^[0-9A-Za-z-]{1,127}$/)
    .exactOptional(),
  reader: ReaderSettings.prefault({}),
});
export type AzureVaultConfig = z.infer<typeof AzureVaultConfig>;

export const EmbeddedVaultConfig = z.strictObject({
  kind: z.literal('embedded'),
  /** Relative to the state folder of the service. */
  dir: z.string().min(1),
  keyFile: z.string().min(1).exactOptional(),
});
export type EmbeddedVaultConfig = z.infer<typeof EmbeddedVaultConfig>;

/** The vaults of a deployment by the names that manifests use. */
export const VaultsConfig = z.record(
  z.string().refine(isVaultName, {
    error:
      'a vault name has 1 to 63 lower-case letters, digits, ".", "_" or "-", and begins with a letter or digit',
  }),
  z.discriminatedUnion('kind', [AzureVaultConfig, EmbeddedVaultConfig]),
);
export type VaultsConfig = z.infer<typeof VaultsConfig>;
export type VaultsConfigInput = z.input<typeof VaultsConfig>;
