import type { GetTokenOptions } from '@azure/identity';
import { CertificateClient } from '@azure/keyvault-certificates';
import { CryptographyClient, KeyClient } from '@azure/keyvault-keys';
import { SecretClient } from '@azure/keyvault-secrets';
import { makeCredential, makeTransport, VaultsConfig, type AzureVaultConfig } from '#vault';
import { ClientFiles } from './client-files.js';
import type { FakeAzure } from './fake-azure.js';

/** The SDK's own clients, connected to one vault of a fake as any program would: for tests of the fake, and for seeding it. */
export class SdkClients {
  readonly secrets: SecretClient;
  readonly keys: KeyClient;
  readonly certificates: CertificateClient;
  private readonly entra;
  private readonly transport;
  private readonly credential;
  private readonly options;

  constructor(fake: FakeAzure, vault: string, dir: string) {
    const files = new ClientFiles(fake, dir);
    const { identity } = VaultsConfig.parse({ [vault]: files.vaultSettings(vault) })[
      vault
    ] as AzureVaultConfig;
    this.entra = makeTransport({ caFile: files.caFile });
    this.transport = makeTransport({ caFile: files.caFile, connectAddress: '127.0.0.1' });
    const made = makeCredential(identity, this.entra, vault);
    this.credential = {
      getToken: async (scopes: string | string[], more?: GetTokenOptions) =>
        (await made).getToken(scopes, more),
    };
    this.options = {
      additionalPolicies: this.transport.policies,
      serviceVersion: '2025-07-01' as const,
      retryOptions: { maxRetries: 0 },
    };
    const url = fake.vaultUrl(vault);
    this.secrets = new SecretClient(url, this.credential, this.options);
    this.keys = new KeyClient(url, this.credential, this.options);
    this.certificates = new CertificateClient(url, this.credential, this.options);
  }

  /** Operations with one version of a key. */
  cryptography(keyId: string): CryptographyClient {
    return new CryptographyClient(keyId, this.credential, this.options);
  }

  async accessToken(): Promise<string> {
    const access = await this.credential.getToken('https://vault.azure.net/.default');
    return access?.token ?? '';
  }

  close(): void {
    this.transport.close();
    this.entra.close();
  }
}

/** Outcome of a call in one short text: `no error`, or status and code. */
export const outcomeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'no error',
    (error: { statusCode?: number; code?: string; message: string }) =>
      `${error.statusCode ?? error.message} ${error.code ?? ''}`.trim(),
  );
