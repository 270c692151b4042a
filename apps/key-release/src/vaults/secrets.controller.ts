import { SiegelError } from '#contracts';
import type { AuditEmitter } from '#emitter';
import { schemaPipe } from '#platform';
import { VaultError, type VaultRegistry, type WritableSecretSource } from '#vault';
import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Put, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { ADMIN_ACTOR, AdminGuard } from '../admin/admin.guard.js';
import { AUDIT_EMITTER } from '../audit/audit.module.js';
import { RotationWatch } from '../rotation/rotation-watch.js';
import { VAULT_ANSWERS } from '../pipeline/vault-refusals.js';
import { TenantResolver } from '../tenants/tenant-resolver.js';
import { VAULTS } from './vaults.token.js';

const SecretBody = z.strictObject({
  value: z.base64().max(36_000).describe('base64 of the value'),
  contentType: z.string().max(255).optional(),
});

/** Secrets of the vaults that this service's identity may write; values go in and never come out. */
@ApiTags('administration')
@ApiBearerAuth()
@UseGuards(AdminGuard)
@Controller('v1/tenants/:tenant/vaults/:vault/secrets')
export class SecretsController {
  constructor(
    @Inject(VAULTS) private readonly vaults: VaultRegistry,
    @Inject(AUDIT_EMITTER) private readonly audit: AuditEmitter,
    private readonly tenants: TenantResolver,
    private readonly rotation: RotationWatch,
  ) {}

  @Get()
  @ApiOperation({ summary: 'Names and versions, no values' })
  async list(@Param('tenant') tenant: string, @Param('vault') vault: string) {
    this.tenants.require(tenant);
    const source = this.writable(vault);
    const secrets = [];
    try {
      for await (const each of source.listSecrets!()) {
        const { name, version, contentType, enabled, notBefore, expiresOn, updatedOn } = each;
        secrets.push({ name, version, contentType, enabled, notBefore, expiresOn, updatedOn });
      }
    } catch (error) {
      throw explain(error);
    }
    return { secrets };
  }

  @Put(':name')
  @HttpCode(200)
  @ApiOperation({ summary: 'Write a new version of a secret' })
  async put(
    @Param('tenant') tenant: string,
    @Param('vault') vault: string,
    @Param('name') name: string,
    @Body({ schema: SecretBody, pipes: [schemaPipe('SECRET_INVALID')] }) body: z.infer<typeof SecretBody>,
  ) {
    this.tenants.require(tenant);
    const source = this.writable(vault);
    if (!this.audit.available) throw new SiegelError('AUDIT_UNAVAILABLE');
    const bytes = Buffer.from(body.value, 'base64');
    try {
      const written = await source.setSecret(
        name,
        bytes,
        body.contentType === undefined ? {} : { contentType: body.contentType },
      );
      const version = written.version ?? '';
      await this.audit.record({
        tenant,
        type: 'secret.set',
        outcome: 'ok',
        data: { vault, objectName: name, version, actor: ADMIN_ACTOR },
      });
      void this.rotation.objectChanged(vault, name, 'administration');
      return { name, version };
    } catch (error) {
      throw explain(error);
    } finally {
      bytes.fill(0);
    }
  }

  @Delete(':name')
  @HttpCode(204)
  @ApiOperation({ summary: 'Soft-delete: all versions become unreadable' })
  async remove(
    @Param('tenant') tenant: string,
    @Param('vault') vault: string,
    @Param('name') name: string,
  ): Promise<void> {
    this.tenants.require(tenant);
    const source = this.writable(vault);
    await this.audit.record({
      tenant,
      type: 'secret.deleted',
      outcome: 'ok',
      data: { vault, objectName: name, actor: ADMIN_ACTOR },
    });
    try {
      await source.deleteSecret(name);
      void this.rotation.objectChanged(vault, name, 'administration');
    } catch (error) {
      throw explain(error);
    }
  }

  private writable(vault: string): WritableSecretSource {
    try {
      return this.vaults.writable(vault);
    } catch (error) {
      throw explain(error);
    }
  }
}

/** An administrator may know what the vault said, and what to do about it. */
function explain(error: unknown): unknown {
  if (!(error instanceof VaultError)) return error;
  const detail = `${error.code}: ${error.message}. ${error.remedy}`.slice(0, 2_000);
  if (error.code === 'VAULT_UNKNOWN' || /NOT_FOUND/.test(error.code))
    return new SiegelError('NOT_FOUND', { detail: error.message, cause: error });
  if (/^SECRET_/.test(error.code))
    return new SiegelError('SECRET_INVALID', { detail: error.message, cause: error });
  const reason = { code: error.code, message: error.message.slice(0, 1_000) };
  return new SiegelError(VAULT_ANSWERS[error.code], { detail, reason, cause: error });
}
