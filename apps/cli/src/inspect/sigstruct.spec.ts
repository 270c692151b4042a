import { describe, expect, it } from '@jest/globals';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { recognise } from './recognise.js';
import { SIGSTRUCT_BYTES } from './sigstruct.js';

/** A structure as sgx_sign writes it, really signed with RSA-3072 and exponent 3. */
function sigstruct(): { file: Buffer; modulus: Buffer } {
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
  const signed = Buffer.concat([file.subarray(0, 128), file.subarray(900, 1028)]);
  sign('sha256', signed, privateKey).reverse().copy(file, 516);
  return { file, modulus };
}

const identity = (file: Buffer): Record<string, unknown> =>
  Object.fromEntries(
    recognise(file).inspection.sections[0]?.fields.map(({ name, value }) => [name, value]) ?? [],
  );

describe('SIGSTRUCT', () => {
  const { file, modulus } = sigstruct();

  it('shows the identity that a manifest names, and that the signature is good', () => {
    expect(recognise(file).inspection.kind).toBe('sigstruct');
    expect(identity(file)).toEqual({
      mrenclave: 'ab'.repeat(32),
      mrsigner: createHash('sha256').update(modulus).digest('hex'),
      isvprodid: 17,
      isvsvn: 4,
      'signature verifies': true,
    });
  });

  it('is the same in hex', () => {
    expect(recognise(Buffer.from(file.toString('hex')))).toMatchObject({
      encoding: 'hex',
      size: SIGSTRUCT_BYTES,
    });
  });

  it.each([
    ['the measurement', 960],
    ['the product', 1024],
    ['the date', 20],
    ['the signature', 516],
  ])('shows a change of %s as a bad signature', (_name, at) => {
    const changed = Buffer.from(file);
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
    expect(identity(changed)['signature verifies']).toBe(false);
    expect(recognise(changed).inspection.remarks.map(({ subject }) => subject)).toContain('signature');
  });

  it('warns of an enclave that is signed for debugging', () => {
    const debug = Buffer.from(file);
    debug.writeUInt8(0x07, 928);
    expect(recognise(debug).inspection.remarks.map(({ subject }) => subject)).toContain('debug');
  });

  it('covers every byte once', () => {
    const rows = recognise(file).inspection.sections[1]?.fields ?? [];
    let at = 0;
    for (const { offset, size } of rows) {
      expect(offset).toBe(at);
      at += size as number;
    }
    expect(at).toBe(SIGSTRUCT_BYTES);
  });
});
