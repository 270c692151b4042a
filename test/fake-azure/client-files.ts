import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AzureVaultConfig, VaultsConfigInput } from '#vault';
import type { FakePrincipal } from './entra.js';
import { DEFAULT_PRINCIPAL, type FakeAzure } from './fake-azure.js';

export type AzureVaultSettings = Extract<VaultsConfigInput[string], { kind: 'azure' }>;

/** The files and settings with which a client reaches a fake: its test CA and a projected service account token. */
export class ClientFiles {
  readonly caFile: string;
  readonly tokenFile: string;

  constructor(
    private readonly fake: FakeAzure,
    dir: string,
    private readonly principal: FakePrincipal = DEFAULT_PRINCIPAL,
  ) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    this.caFile = join(dir, 'fake-azure-ca.pem');
    this.tokenFile = join(dir, 'projected-token');
    writeFileSync(this.caFile, fake.tls.caPem);
    this.projectToken();
  }

  /** Writes the token anew, as the kubelet does before it expires. */
  projectToken(): void {
    const subject = this.principal.federatedSubject ?? 'system:serviceaccount:default:default';
    const temporary = `${this.tokenFile}.new`;
    writeFileSync(temporary, this.fake.entra.projectToken(subject), { mode: 0o600 });
    renameSync(temporary, this.tokenFile);
  }

  /** Settings of one vault for the configuration of a service. */
  vaultSettings(vault: string, identity: Partial<AzureVaultConfig['identity']> = {}): AzureVaultSettings {
    return {
      kind: 'azure',
      url: this.fake.vaultUrl(vault),
      connectAddress: '127.0.0.1',
      caFile: this.caFile,
      identity: {
        kind: 'workload',
        tenantId: this.fake.entra.tenantId,
        clientId: this.principal.clientId,
        tokenFile: this.tokenFile,
        authorityHost: this.fake.authorityHost,
        disableInstanceDiscovery: true,
        ...identity,
      },
    };
  }

  /** Environment of AKS workload identity and of the metadata service, for programs that read no configuration of ours. */
  environment(): Record<string, string> {
    return {
      AZURE_TENANT_ID: this.fake.entra.tenantId,
      AZURE_CLIENT_ID: this.principal.clientId,
      AZURE_FEDERATED_TOKEN_FILE: this.tokenFile,
      AZURE_AUTHORITY_HOST: this.fake.authorityHost,
      AZURE_POD_IDENTITY_AUTHORITY_HOST: this.fake.metadataUrl,
      NODE_EXTRA_CA_CERTS: this.caFile,
    };
  }
}
