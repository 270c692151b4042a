import { type GrantRecord, type ReleasePayload, SiegelError } from '#contracts';
import type { SecretGrant } from '#policy';
import { VaultError, type VaultRegistry } from '#vault';
import { Inject, Injectable } from '@nestjs/common';
import type { z } from 'zod';
import { VAULTS } from '../vaults/vaults.token.js';

export interface CollectedSecrets {
  readonly env: ReleasePayload['env'];
  readonly files: ReleasePayload['files'];
  /** By alias. */
  readonly argv: Map<string, string>;
  readonly records: z.infer<typeof GrantRecord>[];
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Reads the granted objects from their vaults, all or nothing, and names them for the event. */
@Injectable()
export class SecretCollector {
  constructor(@Inject(VAULTS) private readonly vaults: VaultRegistry) {}

  /** @throws SiegelError with the vault's own code as the operator's reason */
  async collect(grants: readonly SecretGrant[]): Promise<CollectedSecrets> {
    const read = await Promise.all(grants.map((grant) => this.read(grant)));
    const collected: CollectedSecrets = { env: {}, files: [], argv: new Map(), records: [] };
    for (const { grant, bytes, version, requestId } of read) {
      const alias = grant.objectAlias;
      switch (grant.as) {
        case 'env':
          collected.env[alias] = text(grant, bytes);
          break;
        case 'argv':
          collected.argv.set(alias, text(grant, bytes));
          break;
        case 'file':
          collected.files.push({
            path: grant.path ?? `/run/secrets/${alias}`,
            mode: grant.mode ?? '0400',
            content: bytes.toString('base64'),
          });
          break;
      }
      bytes.fill(0);
      collected.records.push({
        alias,
        as: grant.as,
        vault: grant.vault,
        objectName: grant.objectName,
        objectType: grant.objectType,
        version,
        ...(requestId === undefined ? {} : { requestId }),
      });
    }
    return collected;
  }

  private async read(grant: SecretGrant) {
    try {
      const source = this.vaults.get(grant.vault);
      const reference = {
        objectName: grant.objectName,
        ...(grant.objectVersion === undefined ? {} : { objectVersion: grant.objectVersion }),
      };
      const options = {
        ...(grant.allowExpired === undefined ? {} : { allowExpired: grant.allowExpired }),
        ...(grant.maxStaleSeconds === undefined ? {} : { maxStaleSeconds: grant.maxStaleSeconds }),
      };
      if (grant.objectType === 'cert') {
        const value = await source.getCertificate(reference, options);
        // Leaf, issuers, then the key: the order that servers read a combined PEM file in.
        const bytes = Buffer.concat([Buffer.from(value.chainPem), value.privateKeyPem]);
        value.privateKeyPem.fill(0);
        return { grant, bytes, version: value.version, requestId: value.requestId };
      }
      const value = await source.getSecret(reference, options);
      return { grant, bytes: value.value, version: value.version, requestId: value.requestId };
    } catch (error) {
      throw explain(error, grant);
    }
  }
}

function text(grant: SecretGrant, bytes: Buffer): string {
  let value: string;
  try {
    value = utf8.decode(bytes);
  } catch {
    value = '\0';
  }
  // An environment or argument string ends at the first NUL: what is behind it would be lost without a word.
  if (value.includes('\0')) {
    throw new SiegelError('SECRET_UNUSABLE', {
      reason: {
        code: 'SECRET_NOT_TEXT',
        message: `${grant.vault}/${grant.objectName} is not text; grant it as a file`,
      },
    });
  }
  return value;
}

function explain(error: unknown, grant: SecretGrant): SiegelError {
  if (!(error instanceof VaultError)) return new SiegelError('INTERNAL', { cause: error });
  const reason = {
    code: error.code,
    message: `${grant.vault}/${grant.objectName}: ${error.message}`.slice(0, 1_000),
  };
  switch (error.code) {
    case 'SECRET_NOT_FOUND':
    case 'SECRET_DELETED':
    case 'KEY_NOT_FOUND':
    case 'VAULT_UNKNOWN':
      return new SiegelError('SECRET_NOT_FOUND', { reason, cause: error });
    case 'SECRET_DISABLED':
    case 'SECRET_NOT_YET_VALID':
    case 'SECRET_EXPIRED':
    case 'SECRET_NAME_INVALID':
    case 'SECRET_VERSION_INVALID':
    case 'SECRET_CONTENT_INVALID':
    case 'SECRET_TOO_LARGE':
    case 'SECRET_TAMPERED':
    case 'CERTIFICATE_NOT_EXPORTABLE':
      return new SiegelError('SECRET_UNUSABLE', { reason, cause: error });
    case 'VAULT_THROTTLED':
    case 'VAULT_BUDGET_EXHAUSTED':
      return new SiegelError('VAULT_THROTTLED', { reason, cause: error });
    case 'VAULT_FORBIDDEN':
    case 'VAULT_FIREWALL':
    case 'VAULT_UNAUTHENTICATED':
    case 'VAULT_WRONG_TENANT':
    case 'VAULT_IDENTITY_UNAVAILABLE':
    case 'VAULT_MISCONFIGURED':
    case 'VAULT_TLS_UNTRUSTED':
    case 'VAULT_REFUSED':
      return new SiegelError('VAULT_DENIED', { reason, cause: error });
    default:
      return new SiegelError('VAULT_UNAVAILABLE', { reason, cause: error });
  }
}
