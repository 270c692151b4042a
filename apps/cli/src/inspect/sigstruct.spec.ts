import { describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { recognise } from './recognise.js';
import { sigstruct } from './sigstruct-fixture.js';
import { SIGSTRUCT_BYTES } from './sigstruct.js';

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
