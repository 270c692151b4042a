import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { SiegelError } from '#contracts';
import { refusal } from '../../pipeline/early-refusals.js';

/** Fields of one message by their number; all fields of Occlum's messages are length-delimited. */
export type Fields = ReadonlyMap<number, Buffer>;

const MAX_FIELDS = 32;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads one level of a protobuf message: nested messages are bytes, read by their own call, so that nesting costs nothing. Unknown
 * fields are skipped, as protobuf demands; what no proto3 encoder writes (groups, a field twice) is refused.
 *
 * @throws SiegelError REQUEST_MALFORMED
 */
export function readFields(message: Uint8Array): Fields {
  const reader = new BinaryReader(message);
  const fields = new Map<number, Buffer>();
  try {
    while (reader.pos < reader.len) {
      const [number, type] = reader.tag();
      if (type === WireType.StartGroup || type === WireType.EndGroup) throw malformed('a group');
      if (type !== WireType.LengthDelimited) {
        reader.skip(type, number);
        continue;
      }
      const value = reader.bytes();
      if (fields.has(number)) throw malformed(`field ${number} twice`);
      if (fields.size === MAX_FIELDS) throw malformed('too many fields');
      fields.set(number, Buffer.from(value.buffer, value.byteOffset, value.length));
    }
  } catch (error) {
    if (error instanceof SiegelError) throw error;
    throw malformed((error as Error).message);
  }
  return fields;
}

/** A field of type string; empty where it is absent. @throws SiegelError REQUEST_MALFORMED for what is too long or not UTF-8 */
export function textOf(fields: Fields, number: number, maxBytes: number): string {
  const bytes = fields.get(number);
  if (bytes === undefined) return '';
  if (bytes.length > maxBytes) throw malformed(`field ${number} has more than ${maxBytes} bytes`);
  try {
    return utf8.decode(bytes);
  } catch {
    throw malformed(`field ${number} is not UTF-8`);
  }
}

/** A message of length-delimited fields; empty ones are left out, as proto3 does. */
export function writeFields(...fields: readonly (readonly [number, Uint8Array | string])[]): Buffer {
  const writer = new BinaryWriter();
  for (const [number, value] of fields) {
    if (value.length === 0) continue;
    writer.tag(number, WireType.LengthDelimited);
    writer.bytes(typeof value === 'string' ? Buffer.from(value) : value);
  }
  const bytes = writer.finish();
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

const malformed = (message: string): SiegelError =>
  refusal('REQUEST_MALFORMED', 'PROTOBUF_MALFORMED', `the message is malformed: ${message}`);
