/** The clouds that run Key Vault: which authority gives tokens for which vault domains. */
export const AZURE_CLOUDS = {
  public: {
    authorityHost: 'https://login.microsoftonline.com',
    vaultDomains: ['vault.azure.net', 'managedhsm.azure.net'],
  },
  usgovernment: {
    authorityHost: 'https://login.microsoftonline.us',
    vaultDomains: ['vault.usgovcloudapi.net', 'managedhsm.usgovcloudapi.net'],
  },
  china: {
    authorityHost: 'https://login.chinacloudapi.cn',
    vaultDomains: ['vault.azure.cn', 'managedhsm.azure.cn'],
  },
} as const;

export type AzureCloud = keyof typeof AZURE_CLOUDS;

/** The cloud that a vault's host name belongs to; undefined for a private cloud. */
export function cloudOf(vaultUrl: string): AzureCloud | undefined {
  const { hostname } = new URL(vaultUrl);
  return (Object.keys(AZURE_CLOUDS) as AzureCloud[]).find((cloud) =>
    AZURE_CLOUDS[cloud].vaultDomains.some((domain) => hostname.endsWith(`.${domain}`)),
  );
}

/**
 * Who gives the tokens for a vault: what is configured, else what the environment of AKS workload identity names, else the authority of
 * the vault's cloud; undefined for a private cloud about which nobody said anything.
 */
export function authorityOf(
  vault: {
    readonly url: string;
    readonly cloud?: AzureCloud;
    readonly identity: { readonly authorityHost?: string };
  },
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const cloud = vault.cloud ?? cloudOf(vault.url);
  return (
    vault.identity.authorityHost ??
    environment['AZURE_AUTHORITY_HOST'] ??
    (cloud && AZURE_CLOUDS[cloud].authorityHost)
  );
}
