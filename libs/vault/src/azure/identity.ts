import type { TokenCredential } from '@azure/identity';
import { VaultError } from '../errors.js';
import type { Transport } from './transport.js';

/** Who we are towards Entra. */
export interface IdentityOptions {
  /**
   * - `workload`: a federated Kubernetes service account (AKS workload identity), the choice in production;
   * - `managed`: the managed identity of the machine, through the metadata service;
   * - `default`: what the developer's machine offers, in the order of DefaultAzureCredential.
   */
  readonly kind: 'workload' | 'managed' | 'default';
  /** Default `AZURE_TENANT_ID`. */
  readonly tenantId?: string;
  /** Default `AZURE_CLIENT_ID`; a managed identity without it is the system-assigned one. */
  readonly clientId?: string;
  /** `workload` only. Default `AZURE_FEDERATED_TOKEN_FILE`. */
  readonly tokenFile?: string;
  /** Default: that of the cloud of the vault, else `AZURE_AUTHORITY_HOST`. */
  readonly authorityHost?: string;
  /** Needed where the authority is none of Microsoft's: nothing then asks login.microsoftonline.com whether it is trustworthy. */
  readonly disableInstanceDiscovery?: boolean;
}

const RETRIES = { maxRetries: 2, retryDelayInMs: 200, maxRetryDelayInMs: 1_000 };

/** What the SDK says when it reached nobody; it names no host then. */
const NOT_REACHED = /network_error|endpoints_resolution_error|openid_config_error/;

/**
 * The SDK is loaded with the first credential: it takes some 25 MiB and a fifth of a second, which a deployment without Azure keeps.
 * @throws VaultError VAULT_MISCONFIGURED when a setting is missing that the kind of identity needs
 */
export async function makeCredential(
  options: IdentityOptions,
  transport: Transport,
  vault: string,
): Promise<TokenCredential> {
  const credential = credentialOf(await import('@azure/identity'), options, transport, vault);
  const authority = options.authorityHost ?? process.env['AZURE_AUTHORITY_HOST'] ?? 'of the public cloud';
  return {
    getToken: async (scopes, more) => {
      try {
        return await credential.getToken(scopes, more);
      } catch (error) {
        if (error instanceof Error && NOT_REACHED.test(error.message))
          error.message = `the authority ${authority} was not reached: ${error.message}`;
        throw error;
      }
    },
  };
}

function credentialOf(
  sdk: typeof import('@azure/identity'),
  options: IdentityOptions,
  transport: Transport,
  vault: string,
): TokenCredential {
  const { kind, tenantId, clientId, tokenFile, authorityHost, disableInstanceDiscovery } = options;
  const shared = {
    additionalPolicies: transport.policies,
    retryOptions: RETRIES,
    ...(authorityHost === undefined ? {} : { authorityHost }),
    ...(disableInstanceDiscovery === undefined ? {} : { disableInstanceDiscovery }),
  };
  try {
    switch (kind) {
      case 'workload':
        requireSetting('tenantId', 'AZURE_TENANT_ID', tenantId);
        requireSetting('clientId', 'AZURE_CLIENT_ID', clientId);
        requireSetting('tokenFile', 'AZURE_FEDERATED_TOKEN_FILE', tokenFile);
        return new sdk.WorkloadIdentityCredential({
          ...shared,
          ...(tenantId === undefined ? {} : { tenantId }),
          ...(clientId === undefined ? {} : { clientId }),
          ...(tokenFile === undefined ? {} : { tokenFilePath: tokenFile }),
        });
      case 'managed':
        return clientId === undefined
          ? new sdk.ManagedIdentityCredential(shared)
          : new sdk.ManagedIdentityCredential({ ...shared, clientId });
      case 'default':
        return new sdk.DefaultAzureCredential({
          ...shared,
          ...(tenantId === undefined ? {} : { tenantId }),
          ...(clientId === undefined
            ? {}
            : { managedIdentityClientId: clientId, workloadIdentityClientId: clientId }),
        });
    }
  } catch (error) {
    if (error instanceof VaultError) throw error;
    const message = `identity "${kind}": ${(error as Error).message}`;
    throw new VaultError('VAULT_MISCONFIGURED', message, { vault }, { cause: error });
  }
}

function requireSetting(setting: string, variable: string, value: string | undefined): void {
  if (value !== undefined || process.env[variable] !== undefined) return;
  const message = `workload identity needs ${setting} or ${variable}: is the pod labelled azure.workload.identity/use: "true"?`;
  throw new VaultError('VAULT_MISCONFIGURED', message);
}
