// A SIGSTRUCT for the specs of this folder and of the importers.
import { generateKeyPairSync, sign } from 'node:crypto';
import { SIGSTRUCT_BYTES } from './sigstruct.js';

/** A structure as sgx_sign writes it, really signed with RSA-3072 and exponent 3. */
export function sigstruct(change: (file: Buffer) => void = () => undefined): {
  file: Buffer;
  modulus: Buffer;
} {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 3072, publicExponent: 3 });
  const modulus = Buffer.from(publicKey.export({ format: 'jwk' }).n as string, 'base64url').reverse();
  const file = Buffer.alloc(SIGSTRUCT_BYTES);
  Buffer.from('06000000e10000000000010000000000', 'hex').copy(file, 0);
  file.writeUInt32LE(0x20250908, 20);
  Buffer.from('01010000600000006000000001000000', 'hex').copy(file, 24);
  modulus.copy(file, 128);
  file.writeUInt32LE(3, 512);
  file.writeUInt8(0x05, 928);
  file.fill(0xab, 960, 992);
  file.writeUInt16LE(17, 1024);
  file.writeUInt16LE(4, 1026);
  change(file);
  const signed = Buffer.concat([file.subarray(0, 128), file.subarray(900, 1028)]);
  sign('sha256', signed, privateKey).reverse().copy(file, 516);
  return { file, modulus };
}
