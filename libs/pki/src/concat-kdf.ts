import { hash } from 'node:crypto';

/**
 * The Concat KDF of ECDH-ES in direct mode for a 256-bit key (RFC 7518 §4.6.2, NIST SP 800-56A §5.8.1 with SHA-256):
 * one round, AlgorithmID = the `enc` value. The shared secret is wiped. `keyBits` below 256 is for the test vector.
 */
export function concatKdf(
  shared: Buffer,
  algorithm: string,
  apu: Uint8Array,
  apv: Uint8Array,
  keyBits = 256,
): Buffer {
  const algorithmId = Buffer.from(algorithm, 'latin1');
  const input = Buffer.concat([
    uint32(1),
    shared,
    uint32(algorithmId.length),
    algorithmId,
    uint32(apu.length),
    apu,
    uint32(apv.length),
    apv,
    uint32(keyBits),
  ]);
  const key = hash('sha256', input, 'buffer').subarray(0, keyBits / 8);
  shared.fill(0);
  input.fill(0);
  return key;
}

function uint32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
}
