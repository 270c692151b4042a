import { TransparencyError } from './error.js';
import { TILE_WIDTH } from './tile-paths.js';

/** The longest entry that a bundle can carry: its length prefix is a uint16 (C2SP tlog-tiles, "Log entries"). */
export const MAX_ENTRY_BYTES = 65_535;

/**
 * Writes entries as a bundle: each preceded by its length as big-endian uint16.
 * @throws TransparencyError ENTRY_TOO_LARGE, BUNDLE_MALFORMED for none or more than 256 entries
 */
export function encodeEntryBundle(entries: readonly Uint8Array[]): Buffer {
  if (entries.length < 1 || entries.length > TILE_WIDTH) {
    throw new TransparencyError(
      'BUNDLE_MALFORMED',
      `a bundle has 1 to ${TILE_WIDTH} entries, not ${entries.length}`,
    );
  }
  const bundle = Buffer.allocUnsafe(entries.reduce((sum, entry) => sum + 2 + entry.length, 0));
  let offset = 0;
  for (const entry of entries) {
    if (entry.length > MAX_ENTRY_BYTES) {
      throw new TransparencyError(
        'ENTRY_TOO_LARGE',
        `an entry has at most ${MAX_ENTRY_BYTES} bytes, not ${entry.length}`,
      );
    }
    offset = bundle.writeUInt16BE(entry.length, offset);
    bundle.set(entry, offset);
    offset += entry.length;
  }
  return bundle;
}

/**
 * Reads a bundle of exactly `width` entries; the entries are views of `bytes`.
 * @throws TransparencyError BUNDLE_MALFORMED if it is truncated, has trailing bytes, or another number of entries
 */
export function decodeEntryBundle(bytes: Uint8Array, width: number): Buffer[] {
  const bundle = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: Buffer[] = [];
  let offset = 0;
  while (offset < bundle.length) {
    if (entries.length === width)
      throw new TransparencyError('BUNDLE_MALFORMED', `more than ${width} entries`);
    if (offset + 2 > bundle.length) throw new TransparencyError('BUNDLE_MALFORMED', 'truncated length');
    const end = offset + 2 + bundle.readUInt16BE(offset);
    if (end > bundle.length) throw new TransparencyError('BUNDLE_MALFORMED', 'truncated entry');
    entries.push(bundle.subarray(offset + 2, end));
    offset = end;
  }
  if (entries.length !== width) {
    throw new TransparencyError('BUNDLE_MALFORMED', `${entries.length} entries instead of ${width}`);
  }
  return entries;
}
