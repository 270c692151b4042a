import { createCipheriv } from 'node:crypto';

const BLOCK = 16;

/** AES-128-CMAC (RFC 4493), with which a processor seals its REPORTs. */
export function aesCmac(key: Uint8Array, message: Uint8Array): Buffer {
  const encrypt = (block: Uint8Array): Buffer => {
    const cipher = createCipheriv('aes-128-ecb', key, null).setAutoPadding(false);
    return Buffer.concat([cipher.update(block), cipher.final()]);
  };
  const first = doubled(encrypt(Buffer.alloc(BLOCK)));
  const whole = message.length > 0 && message.length % BLOCK === 0;
  const blocks = Math.max(1, Math.ceil(message.length / BLOCK));
  const last = Buffer.alloc(BLOCK);
  last.set(message.subarray((blocks - 1) * BLOCK));
  if (!whole) last[message.length - (blocks - 1) * BLOCK] = 0x80;
  let state: Buffer = Buffer.alloc(BLOCK);
  for (let at = 0; at < blocks - 1; at++)
    state = encrypt(xor(state, message.subarray(at * BLOCK, (at + 1) * BLOCK)));
  return encrypt(xor(xor(state, last), whole ? first : doubled(first)));
}

/** Multiplication by x in GF(2^128), RFC 4493 §2.3. */
function doubled(block: Buffer): Buffer {
  const out = Buffer.alloc(BLOCK);
  let carry = 0;
  for (let at = BLOCK - 1; at >= 0; at--) {
    const byte = block[at]!;
    out[at] = ((byte << 1) & 0xff) | carry;
    carry = byte >> 7;
  }
  if (carry === 1) out[BLOCK - 1]! ^= 0x87;
  return out;
}

function xor(a: Uint8Array, b: Uint8Array): Buffer {
  return Buffer.from(a.map((byte, at) => byte ^ b[at]!));
}
