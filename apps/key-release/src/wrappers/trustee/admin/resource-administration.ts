import { SiegelError } from '#contracts';
import type { AuditEmitter } from '#emitter';
import type { ResourceGrant } from '#policy';
import { BINARY, isVaultError, type VaultRegistry, type WritableSecretSource } from '#vault';
import { Inject, Injectable } from '@nestjs/common';
import { AUDIT_EMITTER } from '../../../audit/audit.module.js';
import { ManifestStore } from '../../../manifests/manifest-store.js';
import { refusalOf } from '../../../pipeline/vault-refusals.js';
import { RotationWatch } from '../../../rotation/rotation-watch.js';
import { VAULTS } from '../../../vaults/vaults.token.js';
import { KbsError } from '../protocol/kbs-error.js';

/** Key Vault takes 25 KB of text; bytes are kept as base64. */
export const MAX_RESOURCE_BYTES = 25_000;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Writes and deletes the vault objects that resources stand for; which, the manifest in force says. Each act is an event. */
@Injectable()
export class ResourceAdministration {
  constructor(
    private readonly manifests: ManifestStore,
    private readonly rotation: RotationWatch,
    @Inject(VAULTS) private readonly vaults: VaultRegistry,
    @Inject(AUDIT_EMITTER) private readonly audit: AuditEmitter,
  ) {}

  /** @throws KbsError, SiegelError */
  async set(tenant: string, path: string, bytes: Buffer, actor: string): Promise<void> {
    if (bytes.length === 0) throw new SiegelError('SECRET_INVALID', { detail: 'the resource is empty' });
    const { secret, encoding } = this.objectOf(tenant, path);
    const { vault, objectName } = secret;
    const source = this.writable(vault);
    if (!this.audit.available) throw new SiegelError('AUDIT_UNAVAILABLE');
    const text = encoding === 'none' ? undefined : Buffer.from(bytes.toString(encoding));
    const properties = text !== undefined || isText(bytes) ? {} : { contentType: BINARY };
    try {
      const { version = '' } = await source.setSecret(objectName, text ?? bytes, properties);
      const data = { vault, objectName, version, actor };
      await this.audit.record({ tenant, type: 'secret.set', outcome: 'ok', data });
    } catch (error) {
      throw explained(error, `${vault}/${objectName}`);
    } finally {
      bytes.fill(0);
      text?.fill(0);
    }
    void this.rotation.objectChanged(vault, objectName, 'administration');
  }

  /** @throws KbsError, SiegelError */
  async remove(tenant: string, path: string, actor: string): Promise<void> {
    const { vault, objectName } = this.objectOf(tenant, path).secret;
    const source = this.writable(vault);
    const data = { vault, objectName, actor };
    await this.audit.record({ tenant, type: 'secret.deleted', outcome: 'ok', data });
    try {
      await source.deleteSecret(objectName);
    } catch (error) {
      throw explained(error, `${vault}/${objectName}`);
    }
    void this.rotation.objectChanged(vault, objectName, 'administration');
  }

  private objectOf(tenant: string, path: string): ResourceGrant {
    const workloads = [...(this.manifests.inForce(tenant)?.compiled.workloads.values() ?? [])];
    const grants = workloads.flatMap(({ grants: { trustee } }) => trustee?.get(path) ?? []);
    const [first] = grants;
    if (!first)
      throw new KbsError(
        404,
        'PluginInternalError',
        `no workload of the manifest in force has a resource ${path}`,
      );
    const { vault, objectName, objectType, objectVersion } = first.secret;
    const same = grants.every(
      ({ secret, encoding }) =>
        secret.vault === vault && secret.objectName === objectName && encoding === first.encoding,
    );
    if (!same || objectType !== 'secret' || objectVersion !== undefined) {
      const why = same ? 'a certificate, or one version of its object' : 'several objects';
      throw new KbsError(409, 'PluginInternalError', `${path} stands for ${why}; change the vault itself`);
    }
    return first;
  }

  private writable(vault: string): WritableSecretSource {
    try {
      return this.vaults.writable(vault);
    } catch (error) {
      throw explained(error, vault);
    }
  }
}

function isText(bytes: Buffer): boolean {
  try {
    return !utf8.decode(bytes).includes('\0');
  } catch {
    return false;
  }
}

/** An administrator may know what the vault said, and what to do about it. */
function explained(error: unknown, object: string): unknown {
  if (!isVaultError(error)) return error;
  const refusal = refusalOf(error, object);
  if (/NOT_FOUND|UNKNOWN/.test(error.code))
    return new KbsError(404, 'PluginInternalError', error.message, { cause: error });
  const detail = `${error.code}: ${error.message}. ${error.remedy}`.slice(0, 1_000);
  return new KbsError(refusal.entry.http, 'PluginInternalError', detail, { cause: error });
}
