import { createCipheriv, createDecipheriv, hash, hkdfSync, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { MadeSecret } from '../secrets/made-secret.js';

const NONCE = 12;
const TAG = 16;
const hex32 = z.string().regex(/^[0-9a-f]{64}$/);

/** One version of a session as it is kept. */
export const SessionRecord = z.strictObject({
  v: z.literal(1),
  tenant: z.string(),
  name: z.string(),
  version: z.number().int().min(1),
  /** What clients know this version by. */
  hash: hex32,
  predecessor: hex32.optional(),
  /** SHA-256 of the SPKI of whoever created the session; the same for all its versions. */
  creator: hex32,
  setAt: z.iso.datetime(),
  /** As it was posted. */
  text: z.string(),
  secrets: z.record(z.string(), MadeSecret),
});
export type SessionRecord = z.infer<typeof SessionRecord>;

/**
 * The hash of a version. SCONE's own is an implementation detail and not documented: this is another one, of everything that makes a version.
 */
export function sessionHash({
  tenant,
  name,
  version,
  creator,
  text,
}: Omit<SessionRecord, 'v' | 'hash' | 'setAt' | 'secrets'>): string {
  return hash(
    'sha256',
    JSON.stringify(['siegel scone session', tenant, name, version, creator, text]),
    'hex',
  );
}

/** Where a session lies in the bucket: its name may be longer than a key, and is nobody's business there. */
export const recordKey = (tenant: string, name: string): string => `${tenant}.${hash('sha256', name, 'hex')}`;

/**
 * Records under AES-256-GCM with the key of the deployment, bound to the place where they lie: NATS neither reads them nor makes one, nor
 * puts one in the place of another.
 */
export class SealedRecords {
  private readonly key: Buffer;

  constructor(deploymentKey: Uint8Array, purpose: string) {
    this.key = Buffer.from(hkdfSync('sha256', deploymentKey, '', `siegel scone ${purpose}`, 32));
  }

  seal(place: string, value: object): Buffer {
    const nonce = randomBytes(NONCE);
    const cipher = createCipheriv('aes-256-gcm', this.key, nonce).setAAD(Buffer.from(place, 'utf8'));
    const body = Buffer.concat([cipher.update(JSON.stringify(value), 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, body, cipher.getAuthTag()]);
  }

  /** Undefined for what was not sealed here, for this place. */
  open(place: string, sealed: Uint8Array): unknown {
    const bytes = Buffer.from(sealed);
    if (bytes.length < NONCE + TAG) return undefined;
    const decipher = createDecipheriv('aes-256-gcm', this.key, bytes.subarray(0, NONCE), {
      authTagLength: TAG,
    })
      .setAAD(Buffer.from(place, 'utf8'))
      .setAuthTag(bytes.subarray(bytes.length - TAG));
    try {
      const clear = Buffer.concat([
        decipher.update(bytes.subarray(NONCE, bytes.length - TAG)),
        decipher.final(),
      ]);
      return JSON.parse(clear.toString('utf8')) as unknown;
    } catch {
      return undefined;
    }
  }
}
