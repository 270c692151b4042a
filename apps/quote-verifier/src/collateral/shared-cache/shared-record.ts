import { parseCollateralBundle } from '#dcap';
import { signJws, verifyJws, type Signer } from '#pki';
import { createHash, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { z } from 'zod';
import type { SharedCollateral } from './shared-cache.js';

/** JOSE `typ` of the statement that a verifier fetched a bundle. */
const STATEMENT_TYP = 'siegel-collateral+jwt';
const MAX_BUNDLE_BYTES = 4 * 1024 * 1024;
const MAX_STATEMENT_CHARS = 2_048;

const Statement = z.strictObject({
  key: z.string().max(128),
  source: z.string().max(32),
  /** Unix time in milliseconds. */
  fetchedAt: z.number().int().nonnegative(),
  /** SHA-256 over the compressed bundle. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

const compress = promisify(gzip);
const decompress = promisify(gunzip);
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** The record in the bucket is not one that a trusted verifier wrote for this key. */
export class SharedRecordError extends Error {
  override readonly name = 'SharedRecordError';
}

/**
 * A record: two bytes of length, the statement, the compressed bundle. The collateral proves itself; the statement, signed with a
 * verdict key of the trust file, proves when it was fetched, so that a broker cannot keep old collateral in use by calling it new.
 */
export async function encodeRecord(
  key: string,
  collateral: SharedCollateral,
  signer: Signer,
): Promise<Uint8Array> {
  const body = await compress(JSON.stringify(collateral.bundle));
  const statement: z.infer<typeof Statement> = {
    key,
    source: collateral.source,
    fetchedAt: collateral.fetchedAt.getTime(),
    sha256: sha256(body),
  };
  const token = Buffer.from(
    await signJws(Buffer.from(JSON.stringify(statement)), signer, { typ: STATEMENT_TYP }),
  );
  const length = Buffer.alloc(2);
  length.writeUInt16BE(token.length);
  return Buffer.concat([length, token, body]);
}

/** Throws SharedRecordError, DcapError or PkiError for anything that is not a genuine record of this key. */
export async function decodeRecord(
  key: string,
  record: Uint8Array,
  verifiers: ReadonlyMap<string, KeyObject>,
): Promise<SharedCollateral> {
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.byteLength);
  const length = bytes.length < 2 ? 0 : bytes.readUInt16BE(0);
  if (length === 0 || length > MAX_STATEMENT_CHARS || bytes.length < 2 + length)
    throw new SharedRecordError('the record has no statement');
  const { payload } = await verifyJws(bytes.toString('latin1', 2, 2 + length), {
    typ: STATEMENT_TYP,
    maxBytes: MAX_STATEMENT_CHARS,
    keys: (kid) => {
      const found = kid === undefined ? undefined : verifiers.get(kid);
      return found === undefined ? undefined : { alg: 'ES256', key: found, kid: kid as string };
    },
  });
  const statement = Statement.safeParse(JSON.parse(payload.toString()));
  if (!statement.success) throw new SharedRecordError('the statement is malformed');
  if (statement.data.key !== key) throw new SharedRecordError('the statement is for another key');
  const body = bytes.subarray(2 + length);
  if (sha256(body) !== statement.data.sha256) throw new SharedRecordError('the bundle is not the stated one');
  const text = await decompress(body, { maxOutputLength: MAX_BUNDLE_BYTES });
  return {
    bundle: parseCollateralBundle(text.toString()),
    fetchedAt: new Date(statement.data.fetchedAt),
    source: statement.data.source,
  };
}
