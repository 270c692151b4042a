import type { GrantRecord } from '#contracts';
import { scone } from '#policy';
import { isVaultError, type SecretSource, type VaultErrorCode, type VaultRegistry } from '#vault';
import { Inject, Injectable } from '@nestjs/common';
import type { z } from 'zod';
import { refusalOf } from '../../../pipeline/vault-refusals.js';
import { VAULTS } from '../../../vaults/vaults.token.js';
import { hostOfVault } from '../azure/azure-settings.js';
import { SessionIdentities, type SessionIdentity } from '../azure/session-identities.js';
import { type MadeSecret, type SconeSecret, SecretProblem } from '../secrets/made-secret.js';
import { openEnvelope } from '../secrets/vault-envelope.js';
import { vaultSecret } from '../secrets/vault-value.js';
import type { SconeTenant } from '../settings-file.js';

/** The session whose secret it is. */
export interface SecretContext {
  readonly tenant: string;
  readonly settings: SconeTenant;
  readonly secrets: readonly SconeSecret[];
  readonly grants: z.infer<typeof GrantRecord>[];
  /** Another secret of the session, by its name. */
  readonly find: (name: string) => Promise<MadeSecret | undefined>;
}

type ImportAkv = NonNullable<SconeSecret['importAkv']>;

/** What sessions have of Azure: values of vaults (`import_akv`), and tokens of Entra (`aad-token`). */
@Injectable()
export class VaultSecrets {
  constructor(
    @Inject(VAULTS) private readonly vaults: VaultRegistry,
    private readonly identities: SessionIdentities,
  ) {}

  /** A token for vaults, as text. @throws SecretProblem, SiegelError */
  async token(secret: SconeSecret, context: SecretContext): Promise<MadeSecret> {
    const identity = await this.identity(secret, context);
    const { clientId, tenantId } = identity.application;
    const text = await told(`aad-token "${secret.name}"`, true, () => this.identities.token(identity));
    context.grants.push({
      alias: secret.name,
      as: 'resource',
      vault: 'entra',
      objectName: clientId,
      objectType: 'secret',
      version: tenantId.slice(0, 64),
    });
    return { kind: 'ascii', text };
  }

  /** @throws SecretProblem, SiegelError */
  async read(secret: SconeSecret, from: ImportAkv, context: SecretContext): Promise<MadeSecret> {
    const { name } = secret;
    const { secretName: objectName, decryptionKey } = from;
    const key = decryptionKey === undefined ? undefined : await keyNamed(decryptionKey, name, context);
    const { vault, ofSession, open } = await this.source(name, from, context);
    const read = await told(`${vault}/${objectName}`, ofSession, () => open().getSecret({ objectName }));
    const { value, version, requestId, contentType } = read;
    context.grants.push({
      alias: name,
      as: 'resource',
      vault,
      objectName,
      objectType: 'secret',
      version,
      ...(requestId === undefined ? {} : { requestId }),
    });
    const bytes = key ? openEnvelope(name, value.toString('latin1'), key) : value;
    return vaultSecret(secret, bytes, contentType);
  }

  /** A vault that sessions may read as themselves, if this one has an identity; else one of the deployment that is open to sessions. */
  private async source(
    name: string,
    { vault: written, token }: ImportAkv,
    context: SecretContext,
  ): Promise<{ vault: string; ofSession: boolean; open: () => SecretSource }> {
    const { azure, vaults } = context.settings;
    const host = hostOfVault(written);
    if (azure && host !== undefined && Object.hasOwn(azure.vaultHosts, host)) {
      const own = tokenOf(name, token, context.secrets);
      if (own) {
        const identity = await this.identity(own, context);
        return { vault: host, ofSession: true, open: () => this.identities.vault(identity, host) };
      }
    }
    const label = host?.split(/[.:]/)[0] ?? '';
    const vault = Object.hasOwn(vaults, label) ? vaults[label] : undefined;
    if (vault !== undefined) return { vault, ofSession: false, open: () => this.vaults.get(vault) };
    throw new SecretProblem(
      'SCONE_SECRET_NOT_SERVED',
      `"${name}": no vault "${(host ?? written).slice(0, 128)}" is open to sessions`,
    );
  }

  private async identity({ name, aadToken }: SconeSecret, context: SecretContext): Promise<SessionIdentity> {
    const { tenant, settings, find } = context;
    if (!settings.azure || !aadToken)
      throw new SecretProblem(
        'SCONE_SECRET_NOT_SERVED',
        `"${name}": sessions have no identities of their own here; see "azure" in the settings`,
      );
    const filled = async (text: string): Promise<string> => {
      const whole = scone.wholePlaceholder(text)?.name;
      if (whole === undefined) return text;
      const found = await find(whole);
      if (found?.kind === 'ascii') return found.text;
      throw new SecretProblem('SCONE_SECRET_UNKNOWN', `"${name}" names no text: "${whole}"`);
    };
    const { applicationSecret, certificate } = aadToken;
    const credential = certificate
      ? {
          privateKey: await privateKeyOf(certificate.privateKey, name, context),
          thumbprint: certificate.thumbprint,
        }
      : { secret: await filled(applicationSecret ?? '') };
    const [tenantId, clientId] = [await filled(aadToken.tenantId), await filled(aadToken.clientId)];
    return { tenant, settings: settings.azure, application: { tenantId, clientId, credential } };
  }
}

/** The `aad-token` that is named, or the only one. */
function tokenOf(
  by: string,
  named: string | undefined,
  secrets: readonly SconeSecret[],
): SconeSecret | undefined {
  const tokens = secrets.filter(({ aadToken }) => aadToken !== undefined);
  const found = named === undefined ? tokens : tokens.filter(({ name }) => name === named);
  if (found.length === 1 || (named === undefined && found.length === 0)) return found[0];
  throw new SecretProblem(
    'SCONE_SECRET_UNKNOWN',
    named === undefined
      ? `"${by}" does not say by which of ${found.length} tokens`
      : `"${by}": "${named}" is no aad-token of this session`,
  );
}

async function keyNamed(key: string, by: string, { find }: SecretContext): Promise<Buffer> {
  const found = await find(key);
  if (found?.kind === 'binary') return Buffer.from(found.base64, 'base64');
  throw new SecretProblem('SCONE_SECRET_UNKNOWN', `"${by}": its decryption key is no binary secret`);
}

async function privateKeyOf(written: string, by: string, { find }: SecretContext): Promise<string> {
  if (written.includes('-----BEGIN')) return written;
  const found = await find(written);
  if (found?.kind === 'private-key') return found.privateKey;
  throw new SecretProblem('SCONE_SECRET_UNKNOWN', `"${by}": its key is no private-key of this session`);
}

/** What is said of the identity that was used. */
const OF_IDENTITY: ReadonlySet<VaultErrorCode> = new Set<VaultErrorCode>([
  'VAULT_IDENTITY_REFUSED',
  'VAULT_WRONG_TENANT',
  'VAULT_UNAUTHENTICATED',
  'VAULT_FORBIDDEN',
  'VAULT_MISCONFIGURED',
]);

/** A refused identity of the deployment is an outage, for its operator to mend; one that the session brought is the session's fault. */
async function told<T>(object: string, ofSession: boolean, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isVaultError(error)) throw error;
    if (ofSession && OF_IDENTITY.has(error.code))
      throw new SecretProblem(
        'SCONE_IDENTITY_REFUSED',
        `${object}: ${error.code}: ${error.message}`.slice(0, 1_000),
      );
    throw refusalOf(error, object);
  }
}
