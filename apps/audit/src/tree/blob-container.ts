import type { ContainerClient } from '@azure/storage-blob';
import type { BlobSettings } from './blob-settings.js';

/** Attempts of one call; the caller's own loop goes on behind them. */
const RETRIES = { maxTries: 4, tryTimeoutInMs: 10_000, retryDelayInMs: 200, maxRetryDelayInMs: 2_000 };

/** The container's client. The SDK is large: it is loaded where it is needed alone. */
export async function openContainer(settings: BlobSettings): Promise<ContainerClient> {
  const { ContainerClient } = await import('@azure/storage-blob');
  const options = { retryOptions: RETRIES };
  if (settings.connection)
    return new ContainerClient(settings.connection.text, settings.connection.containerName, options);
  return new ContainerClient(settings.container!, await credentialOf(settings.identity!), options);
}

async function credentialOf({ kind, clientId }: NonNullable<BlobSettings['identity']>) {
  const { DefaultAzureCredential, ManagedIdentityCredential, WorkloadIdentityCredential } =
    await import('@azure/identity');
  const own = clientId === undefined ? {} : { clientId };
  switch (kind) {
    case 'workload':
      return new WorkloadIdentityCredential(own);
    case 'managed':
      return new ManagedIdentityCredential(own);
    case 'default':
      return new DefaultAzureCredential();
  }
}
