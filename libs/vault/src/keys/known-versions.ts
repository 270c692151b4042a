import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { KeyVaultKey } from '@azure/keyvault-keys';
import { z } from 'zod';
import { replaceFile } from '../embedded/durable-file.js';

const MAX_BYTES = 64 * 1024;
const coordinate = z.string().regex(/^[A-Za-z0-9_-]{43}$/);

const KnownVersion = z.strictObject({
  version: z.string().regex(/^[0-9a-f]{32}$/),
  id: z.url().max(512),
  createdOn: z.iso.datetime(),
  keyType: z.enum(['EC', 'EC-HSM']),
  x: coordinate,
  y: coordinate,
});
/** Public halves of the usable versions of one key, as the vault last listed them, oldest first. */
const KnownVersions = z.strictObject({
  vault: z.string(),
  keyName: z.string(),
  versions: z.array(KnownVersion).min(1).max(8),
});

export interface ReadVersion {
  readonly key: KeyVaultKey;
  readonly createdOn: Date;
}

/**
 * Remembers the public halves of a key's versions, so that a service can start while the vault is out of reach: what is local signs
 * on, and what needs the vault's signature waits for it.
 */
export class KnownVersionsFile {
  constructor(
    private readonly path: string,
    private readonly vault: string,
    private readonly keyName: string,
  ) {}

  /** Durable when it returns. */
  async write(versions: readonly ReadVersion[]): Promise<void> {
    const text = JSON.stringify({
      vault: this.vault,
      keyName: this.keyName,
      versions: versions.map(({ key, createdOn }) => ({
        version: key.properties.version,
        id: key.id,
        createdOn: createdOn.toISOString(),
        keyType: key.key?.kty,
        x: base64url(key.key?.x),
        y: base64url(key.key?.y),
      })),
    });
    await replaceFile(this.path, `${this.path}.${randomBytes(8).toString('hex')}.new`, Buffer.from(text));
  }

  /** What was written for this very key; undefined where there is nothing of use. */
  async read(): Promise<ReadVersion[] | undefined> {
    let text: string;
    try {
      text = await readFile(this.path, 'utf8');
    } catch {
      return undefined;
    }
    const parsed = text.length > MAX_BYTES ? undefined : KnownVersions.safeParse(json(text)).data;
    if (parsed === undefined || parsed.vault !== this.vault || parsed.keyName !== this.keyName)
      return undefined;
    return parsed.versions.map(({ version, id, createdOn, keyType, x, y }) => ({
      createdOn: new Date(createdOn),
      key: {
        name: this.keyName,
        id,
        keyType,
        keyOperations: ['sign'],
        key: {
          kid: id,
          kty: keyType,
          crv: 'P-256',
          x: Buffer.from(x, 'base64url'),
          y: Buffer.from(y, 'base64url'),
        },
        properties: { name: this.keyName, vaultUrl: this.vault, version, id },
      },
    }));
  }
}

const base64url = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('base64url');

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
