import { type GrantRecord, type ReleasePayload, SiegelError } from '#contracts';
import type { SecretGrant } from '#policy';
import { VaultError, type ReadOptions, type VaultRegistry } from '#vault';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { z } from 'zod';
import { VAULTS } from '../vaults/vaults.token.js';
import { refusalOf } from './vault-refusals.js';

export interface CollectedSecrets {
  readonly env: ReleasePayload['env'];
  readonly files: ReleasePayload['files'];
  /** By alias. */
  readonly argv: Map<string, string>;
  readonly records: z.infer<typeof GrantRecord>[];
}

interface ReadObject {
  readonly grant: SecretGrant;
  readonly bytes: Buffer;
  readonly version: string;
  readonly requestId: string | undefined;
  /** The value was in a cache: the vault may have moved on. */
  readonly cached: boolean;
}

/** All secrets of one release together, as they stand in its JSON; a sealed release may have a mebibyte. */
const MAX_RELEASE_CHARACTERS = 640 * 1024;
/** The same trouble with the same vault is written to the log once in this time. */
const REPORT_EVERY_MS = 10_000;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Reads the granted objects from their vaults, all or nothing, and names them for the event. */
@Injectable()
export class SecretCollector {
  private readonly log = new Logger('vaults');
  private readonly reported = new Map<string, number>();

  constructor(@Inject(VAULTS) private readonly vaults: VaultRegistry) {}

  /** @throws SiegelError with the vault's own code as the operator's reason */
  async collect(grants: readonly SecretGrant[]): Promise<CollectedSecrets> {
    const read = (await Promise.all(groups(grants).map((group) => this.readTogether(group)))).flat();
    const collected: CollectedSecrets = { env: {}, files: [], argv: new Map(), records: [] };
    let characters = 0;
    // In the manifest's order, whatever the order of the answers.
    const position = new Map(grants.map((grant, at) => [grant, at]));
    read.sort((a, b) => position.get(a.grant)! - position.get(b.grant)!);
    for (const { grant, bytes, version, requestId } of read) {
      const alias = grant.objectAlias;
      switch (grant.as) {
        case 'env':
          collected.env[alias] = text(grant, bytes);
          characters += JSON.stringify(collected.env[alias]).length;
          break;
        case 'argv':
          collected.argv.set(alias, text(grant, bytes));
          characters += JSON.stringify(collected.argv.get(alias)).length;
          break;
        case 'file': {
          const content = bytes.toString('base64');
          characters += content.length;
          collected.files.push({
            path: grant.path ?? `/run/secrets/${alias}`,
            mode: grant.mode ?? '0400',
            content,
          });
          break;
        }
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
    if (characters > MAX_RELEASE_CHARACTERS) {
      throw new SiegelError('SECRET_UNUSABLE', {
        reason: {
          code: 'RELEASE_TOO_LARGE',
          message: `the secrets of this release take ${characters} characters, at most ${MAX_RELEASE_CHARACTERS} fit`,
        },
      });
    }
    return collected;
  }

  /**
   * Reads what a release takes from one object. The first read settles the version and the others ask for exactly that one, so that a
   * certificate as PEM and the same certificate as PKCS#12 cannot come from before and after a renewal.
   */
  private async readTogether(group: readonly SecretGrant[]): Promise<ReadObject[]> {
    const [first, ...others] = group as [SecretGrant, ...SecretGrant[]];
    const leading = await this.read(first, {});
    if (others.length === 0) return [leading];
    try {
      return [leading, ...(await this.readVersion(others, leading.version))];
    } catch (error) {
      // The version that was cached may be gone from the vault by now: then the newest decides.
      if (!(leading.cached && first.objectVersion === undefined && isRefusal(error))) throw error;
      const renewed = await this.read(first, { refresh: true });
      return [renewed, ...(await this.readVersion(others, renewed.version))];
    }
  }

  private readVersion(grants: readonly SecretGrant[], version: string): Promise<ReadObject[]> {
    return Promise.all(grants.map((grant) => this.read({ ...grant, objectVersion: version }, {}, grant)));
  }

  private async read(grant: SecretGrant, more: ReadOptions, original = grant): Promise<ReadObject> {
    try {
      const source = this.vaults.get(grant.vault);
      const reference = {
        objectName: grant.objectName,
        ...(grant.objectVersion === undefined ? {} : { objectVersion: grant.objectVersion }),
      };
      const options = {
        ...(grant.allowExpired === undefined ? {} : { allowExpired: grant.allowExpired }),
        ...(grant.maxStaleSeconds === undefined ? {} : { maxStaleSeconds: grant.maxStaleSeconds }),
        ...more,
      };
      if (grant.objectType === 'cert') {
        const { chainPem, privateKeyPem, version, requestId, ageSeconds } = await source.getCertificate(
          reference,
          options,
        );
        // Leaf, issuers, then the key: the order that servers read a combined PEM file in.
        const bytes = Buffer.concat([Buffer.from(chainPem), privateKeyPem]);
        privateKeyPem.fill(0);
        return { grant: original, bytes, version, requestId, cached: ageSeconds !== undefined };
      }
      const { value, version, requestId, ageSeconds } = await source.getSecret(reference, options);
      return { grant: original, bytes: value, version, requestId, cached: ageSeconds !== undefined };
    } catch (error) {
      if (!(error instanceof VaultError)) throw new SiegelError('INTERNAL', { cause: error });
      const refusal = refusalOf(error, `${grant.vault}/${grant.objectName}`);
      if (refusal.entry.http >= 500) this.report(error, grant.vault);
      throw refusal;
    }
  }

  /** Trouble with a vault is no event of the audit log, since nothing was decided; the operator finds it here. */
  private report(error: VaultError, vault: string): void {
    const key = `${vault} ${error.code}`;
    const now = Date.now();
    if (now - (this.reported.get(key) ?? 0) < REPORT_EVERY_MS) return;
    this.reported.set(key, now);
    const { code, message, remedy } = error;
    this.log.warn({ msg: `vault "${vault}": ${message}`, vault, code, remedy });
  }
}

/** The grants by the object and version that they name. */
function groups(grants: readonly SecretGrant[]): SecretGrant[][] {
  const found = new Map<string, SecretGrant[]>();
  for (const grant of grants) {
    // Names of objects are the same in either case (Key Vault folds them).
    const key = `${grant.vault}/${grant.objectName.toLowerCase()}/${grant.objectVersion ?? ''}`;
    const group = found.get(key);
    if (group) group.push(grant);
    else found.set(key, [grant]);
  }
  return [...found.values()];
}

const isRefusal = (error: unknown): boolean => error instanceof SiegelError && error.entry.http < 500;

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
