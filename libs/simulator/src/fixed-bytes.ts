import { SimulatorError } from './simulator-error.js';

/** Bytes given as they are, or as hex text (either case, no prefix). */
export type BytesLike = Uint8Array | string;

const HEX = /^(?:[0-9a-fA-F]{2})*$/;

/**
 * Reads a field of a fixed size. Hex text that is not hex is refused here because `Buffer.from(text, 'hex')`
 * would silently stop at the first wrong digit.
 * @throws SimulatorError SIMULATOR_BYTES_INVALID
 */
export function fixedBytes(value: BytesLike, length: number, field: string): Buffer {
  if (typeof value === 'string' && !HEX.test(value)) {
    throw new SimulatorError('SIMULATOR_BYTES_INVALID', `${field} is not hex.`);
  }
  const bytes =
    typeof value === 'string'
      ? Buffer.from(value, 'hex')
      : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (bytes.length !== length) {
    throw new SimulatorError(
      'SIMULATOR_BYTES_INVALID',
      `${field} has ${bytes.length} bytes instead of ${length}.`,
    );
  }
  return bytes;
}

/** Report data are 64 bytes; shorter values (a SHA-256, say) are padded with zeros at the end, as runtimes do. */
export function reportDataBytes(value: BytesLike | undefined): Buffer {
  const out = Buffer.alloc(64);
  if (value === undefined) return out;
  const bytes =
    typeof value === 'string'
      ? fixedBytes(value, Math.floor(value.length / 2), 'reportData')
      : Buffer.from(value);
  if (bytes.length > 64)
    throw new SimulatorError('SIMULATOR_BYTES_INVALID', 'reportData is longer than 64 bytes.');
  bytes.copy(out);
  return out;
}

/** Unsigned little-endian 16-bit. */
export function u16le(value: number): Buffer {
  const out = Buffer.alloc(2);
  out.writeUInt16LE(value);
  return out;
}

/** Unsigned little-endian 32-bit. */
export function u32le(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(value);
  return out;
}
