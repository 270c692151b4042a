import { subtle } from 'node:crypto';

const KEY_BITS = 192;

/**
 * The wrapping key of `ML-KEM-768+A192KW`: KMAC256 (NIST SP 800-185) keyed with the shared secret over AlgorithmID and SuppPubInfo,
 * without PartyUInfo and PartyVInfo (draft-ietf-jose-pqc-kem-05 §5.1). The shared secret is wiped.
 */
export async function mlKemWrappingKey(shared: Buffer, algorithm: string): Promise<Buffer> {
  const id = Buffer.from(algorithm, 'latin1');
  const input = Buffer.alloc(4 + id.length + 4);
  input.writeUInt32BE(id.length, 0);
  id.copy(input, 4);
  input.writeUInt32BE(KEY_BITS, 4 + id.length);
  // Not in the types of this Node version yet.
  const parameters = { name: 'KMAC256', outputLength: KEY_BITS };
  const key = await subtle.importKey('raw-secret' as 'raw', shared, { name: 'KMAC256' }, false, ['sign']);
  shared.fill(0);
  return Buffer.from(await subtle.sign(parameters as { name: string }, key, input));
}
