import {
  AZURE_CLOUDS,
  AzureConnectionConfig,
  AzureIdentityConfig,
  makeTransport,
  ReaderSettings,
} from '#vault';
import { resolve } from 'node:path';
import { z } from 'zod';

const { cloud, caFile, connectAddress, timeoutSeconds } = AzureConnectionConfig.shape;
const { authorityHost, disableInstanceDiscovery } = AzureIdentityConfig.shape;

const host = z
  .string()
  .max(64)
  .regex(
    /^[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::[0-9]{1,5})?$/,
    'must be the host of a vault in lower case, as "shop.vault.azure.net"',
  );

/** What sessions may do in Azure by identities of their own (`aad-token`); nothing without it. */
export const SessionAzureSettings = z.strictObject({
  cloud,
  /** Who gives the tokens; default: that of the cloud. */
  authorityHost,
  disableInstanceDiscovery,
  /** Relative to the file of settings. */
  caFile,
  /** For a token, and for a read with its token. */
  timeoutSeconds,
  /** Vaults that `import_akv` may read as the session's own identity, by their host. */
  vaultHosts: z
    .record(host, z.strictObject({ connectAddress, reader: ReaderSettings.prefault({}) }))
    .default({}),
});
export type SessionAzureSettings = z.infer<typeof SessionAzureSettings>;

/** With its paths made whole. @throws VaultError where a certificate or an address cannot be used */
export function resolvedAzure(settings: SessionAzureSettings, folder: string): SessionAzureSettings {
  const trust = settings.caFile === undefined ? {} : { caFile: resolve(folder, settings.caFile) };
  for (const { connectAddress: address } of [{}, ...Object.values(settings.vaultHosts)] as {
    connectAddress?: string;
  }[])
    makeTransport({ ...trust, ...(address === undefined ? {} : { connectAddress: address }) }).close();
  return { ...settings, ...trust };
}

export const authorityOfSettings = (settings: SessionAzureSettings): string =>
  settings.authorityHost ?? AZURE_CLOUDS[settings.cloud ?? 'public'].authorityHost;

/** What a token for vaults is asked for. */
export const vaultScope = (settings: SessionAzureSettings): string =>
  `https://${AZURE_CLOUDS[settings.cloud ?? 'public'].vaultDomains[0]}/.default`;

/** The host, with its port where it is another than 443, of a vault as sessions write it: a host or an address. */
export function hostOfVault(vault: string): string | undefined {
  const url = URL.parse(vault.includes('://') ? vault : `https://${vault}`);
  if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '') return undefined;
  return url.pathname === '/' && url.search === '' && url.hash === '' ? url.host : undefined;
}
