import { APPRAISAL_TYP, AppraisalRecord, REVOCATION_TYP, RevocationRecord } from '#contracts';
import { signJws, verifyJws, type Signer } from '#pki';
import type { KeyObject } from 'node:crypto';
import type { z } from 'zod';

/** Evidence of 32 KiB, base64url twice, and a few thousand uses. */
const MAX_RECORD_BYTES = 900 * 1024;

/** Signs and checks what stands in the sessions bucket, with the key of the manifest records; the broker is not trusted. */
export class SessionRecords {
  constructor(
    private readonly signer: Signer,
    private readonly trusted: ReadonlyMap<string, KeyObject>,
  ) {}

  signAppraisal(record: AppraisalRecord): Promise<string> {
    return this.sign(record, APPRAISAL_TYP);
  }

  signRevocation(record: RevocationRecord): Promise<string> {
    return this.sign(record, REVOCATION_TYP);
  }

  /** @throws PkiError, ZodError or SyntaxError for anything that a trusted key-release did not write */
  openAppraisal(jws: string): Promise<AppraisalRecord> {
    return this.open(jws, APPRAISAL_TYP, AppraisalRecord);
  }

  /** @throws PkiError, ZodError or SyntaxError for anything that a trusted key-release did not write */
  openRevocation(jws: string): Promise<RevocationRecord> {
    return this.open(jws, REVOCATION_TYP, RevocationRecord);
  }

  private sign(record: object, typ: string): Promise<string> {
    return signJws(Buffer.from(JSON.stringify(record)), this.signer, { typ, maxBytes: MAX_RECORD_BYTES });
  }

  private async open<T extends z.ZodType>(jws: string, typ: string, schema: T): Promise<z.output<T>> {
    const { payload } = await verifyJws(jws, {
      keys: (kid) => {
        const key = kid === undefined ? undefined : this.trusted.get(kid);
        return key && { alg: 'ES256', key };
      },
      typ,
      maxBytes: MAX_RECORD_BYTES,
    });
    return schema.parse(JSON.parse(payload.toString('utf8')));
  }
}
