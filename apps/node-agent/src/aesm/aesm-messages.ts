import { SiegelError } from '#contracts';
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/**
 * `aesm.message.Request` and `Response` (linux-sgx, psw/ae/common/proto/messages.proto, protobuf 2), as far as quoting goes: the field of
 * the one call that a message holds, the same number in request and response.
 */
export const CALLS = {
  initQuoteEx: 15,
  getQuoteSizeEx: 16,
  getQuoteEx: 17,
  getSupportedAttKeyIDNum: 21,
  getSupportedAttKeyIDs: 22,
} as const;
export type AesmCall = keyof typeof CALLS;

/** What a daemon answers that does not know the call. */
const UNSUPPORTED = 20;
const ERROR_CODE = 1;
const MAX_FIELDS = 16;

export type AesmField = number | boolean | Uint8Array;
export type AesmFields = ReadonlyMap<number, number | Buffer>;

/** A request with one call; `timeout` (9) is left out, as clients disagree on its unit and the daemon has a default. */
export function encodeRequest(call: AesmCall, fields: readonly (readonly [number, AesmField])[]): Buffer {
  const writer = new BinaryWriter().tag(CALLS[call], WireType.LengthDelimited).fork();
  for (const [field, value] of fields) {
    if (typeof value === 'number') writer.tag(field, WireType.Varint).uint32(value);
    else if (typeof value === 'boolean') writer.tag(field, WireType.Varint).bool(value);
    else writer.tag(field, WireType.LengthDelimited).bytes(value);
  }
  return Buffer.from(writer.join().finish());
}

/** The fields of the response to a call. @throws SiegelError QUOTING_REFUSED, QUOTING_INCONSISTENT */
export function decodeResponse(call: AesmCall, message: Buffer): AesmFields {
  const outer = fieldsOf(message);
  const inner = outer.get(CALLS[call]);
  if (!(inner instanceof Buffer)) {
    const why = outer.has(UNSUPPORTED)
      ? 'the daemon does not know the call'
      : 'the response is to another call';
    throw inconsistent('AESM_RESPONSE_FOREIGN', `${call}: ${why}`);
  }
  const fields = fieldsOf(inner);
  const errorCode = fields.get(ERROR_CODE);
  if (typeof errorCode !== 'number') throw inconsistent('AESM_RESPONSE_MALFORMED', `${call}: no error code`);
  if (errorCode !== 0) {
    throw new SiegelError('QUOTING_REFUSED', {
      detail: `${call}: AESM error ${errorCode}`,
      reason: { code: 'AESM_ERROR', message: `${call}: error ${errorCode}` },
    });
  }
  return fields;
}

/** A field of bytes. @throws SiegelError QUOTING_INCONSISTENT if it is absent or of another length */
export function bytesOf(fields: AesmFields, field: number, length?: number): Buffer {
  const value = fields.get(field);
  if (value instanceof Buffer && (length === undefined || value.length === length)) return value;
  throw inconsistent('AESM_RESPONSE_MALFORMED', `field ${field} is missing or not of its length`);
}

/** A whole number up to `most`. @throws SiegelError QUOTING_INCONSISTENT */
export function numberOf(fields: AesmFields, field: number, most: number): number {
  const value = fields.get(field);
  if (typeof value === 'number' && value >= 0 && value <= most) return value;
  throw inconsistent('AESM_RESPONSE_MALFORMED', `field ${field} is missing or out of range`);
}

export const inconsistent = (code: string, message: string): SiegelError =>
  new SiegelError('QUOTING_INCONSISTENT', { reason: { code, message } });

function fieldsOf(message: Buffer): Map<number, number | Buffer> {
  const found = new Map<number, number | Buffer>();
  try {
    const reader = new BinaryReader(message);
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag();
      if (found.has(field) || found.size === MAX_FIELDS) throw new RangeError('a field twice, or too many');
      if (type === WireType.Varint) found.set(field, Number(reader.uint64()));
      else if (type === WireType.LengthDelimited) found.set(field, Buffer.from(reader.bytes()));
      else throw new RangeError('a field of a type that no message has');
    }
  } catch (cause) {
    throw new SiegelError('QUOTING_INCONSISTENT', {
      reason: { code: 'AESM_RESPONSE_MALFORMED', message: (cause as Error).message.slice(0, 300) },
      cause,
    });
  }
  return found;
}
