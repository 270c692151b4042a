import { MANIFEST_TYP, ManifestRecord } from '#contracts';
import { signJws, verifyJws, type Signer } from '#pki';
import type { KeyObject } from 'node:crypto';

const MAX_RECORD_BYTES = 512 * 1024;

/** Signs and checks what stands in the KV store; the broker that keeps it is not trusted. */
export class ManifestRecords {
  constructor(
    private readonly signer: Signer,
    private readonly trusted: ReadonlyMap<string, KeyObject>,
  ) {}

  sign(record: ManifestRecord): Promise<string> {
    return signJws(Buffer.from(JSON.stringify(record)), this.signer, {
      typ: MANIFEST_TYP,
      maxBytes: MAX_RECORD_BYTES,
    });
  }

  /** @throws PkiError or ZodError for anything that a trusted manifest signer did not write */
  async open(jws: string): Promise<ManifestRecord> {
    const { payload } = await verifyJws(jws, {
      keys: (kid) => {
        const key = kid === undefined ? undefined : this.trusted.get(kid);
        return key && { alg: 'ES256', key };
      },
      typ: MANIFEST_TYP,
      maxBytes: MAX_RECORD_BYTES,
    });
    return ManifestRecord.parse(JSON.parse(payload.toString('utf8')));
  }
}
