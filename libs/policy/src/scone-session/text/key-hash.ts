import { hash } from 'node:crypto';

const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const VERSION = 0x01;
const PAYLOAD_BYTES = 33;

/**
 * The 32 bytes of a key hash of SCONE: Base58Check of version 1 and a hash. Undefined for what is none. What it is a hash of is not
 * documented, so that it is an opaque name of somebody.
 */
export function keyHashBytes(text: string): Buffer | undefined {
  if (!/^[1-9A-HJ-NP-Za-km-z]{40,60}$/.test(text)) return undefined;
  let value = 0n;
  for (const character of text) value = value * 58n + BigInt(ALPHABET.indexOf(character));
  const hexadecimal = value.toString(16).padStart(2 * (PAYLOAD_BYTES + 4), '0');
  if (hexadecimal.length !== 2 * (PAYLOAD_BYTES + 4)) return undefined;
  const all = Buffer.from(hexadecimal, 'hex');
  const payload = all.subarray(0, PAYLOAD_BYTES);
  if (payload[0] !== VERSION) return undefined;
  const checksum = hash('sha256', hash('sha256', payload, 'buffer'), 'buffer').subarray(0, 4);
  return checksum.equals(all.subarray(PAYLOAD_BYTES)) ? Buffer.from(payload.subarray(1)) : undefined;
}
