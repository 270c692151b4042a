import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { deserialize, serialize } from 'node:v8';
import type { StoredObject } from './object-store.js';
import { badParameter, stringOf } from './wire.js';

// One key for the process: a backup of one vault restores into another vault of the same fake, as within one geography.
const KEY = randomBytes(32);

/** Backups as Key Vault gives them: opaque, authenticated, and only of use to the same service. */
export class Backups {
  constructor(private readonly kind: string) {}

  write(object: StoredObject<unknown>): string {
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', KEY, nonce).setAAD(Buffer.from(this.kind));
    const sealed = [nonce, cipher.update(serialize(object)), cipher.final(), cipher.getAuthTag()];
    return Buffer.concat(sealed).toString('base64url');
  }

  read<T>(value: unknown): StoredObject<T> {
    const bytes = Buffer.from(stringOf(value, 'value'), 'base64url');
    try {
      const decipher = createDecipheriv('aes-256-gcm', KEY, bytes.subarray(0, 12), { authTagLength: 16 })
        .setAAD(Buffer.from(this.kind))
        .setAuthTag(bytes.subarray(-16));
      const plain = Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]);
      return deserialize(plain) as StoredObject<T>;
    } catch {
      throw badParameter(`Backup blob contains invalid or corrupt ${this.kind} data.`);
    }
  }
}
