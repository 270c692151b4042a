import { LocalSigner } from '#pki';
import { SimulatedSgx } from '#simulator';
import { describe, expect, it } from '@jest/globals';
import { gzipSync } from 'node:zlib';
import { decodeRecord, encodeRecord } from './shared-record.js';

const signer = LocalSigner.generate('ES256');
const verifiers = new Map([[signer.kid, signer.publicKey]]);
const bundle = SimulatedSgx.create({ seed: 'records' }).collateral();
const fetchedAt = new Date('2026-11-23T10:00:00.123Z');

describe('shared records', () => {
  it('come back as they were written, compressed', async () => {
    const record = await encodeRecord('c.standard.k', { bundle, fetchedAt, source: 'pcs' }, signer);
    expect(record.length).toBeLessThan(JSON.stringify(bundle).length / 2);
    expect(await decodeRecord('c.standard.k', record, verifiers)).toEqual({
      bundle,
      fetchedAt,
      source: 'pcs',
    });
  });

  it('are refused under another key, of another signer, with another bundle, or broken', async () => {
    const record = Buffer.from(await encodeRecord('k', { bundle, fetchedAt, source: 'pcs' }, signer));
    const statementEnd = 2 + record.readUInt16BE(0);
    const statement = record.subarray(0, statementEnd);
    await expect(decodeRecord('other', record, verifiers)).rejects.toThrow(/another key/);
    await expect(decodeRecord('k', record, new Map())).rejects.toMatchObject({ code: 'JWT_KEY_UNKNOWN' });
    const swapped = Buffer.concat([statement, gzipSync('{}')]);
    await expect(decodeRecord('k', swapped, verifiers)).rejects.toThrow(/not the stated one/);
    for (const broken of [
      Buffer.alloc(0),
      Buffer.alloc(1),
      statement.subarray(0, 40),
      Buffer.from('ffff', 'hex'),
    ])
      await expect(decodeRecord('k', broken, verifiers)).rejects.toThrow();
    for (const at of [5, 40, statementEnd - 3, statementEnd + 20]) {
      const changed = Buffer.from(record);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      await expect(decodeRecord('k', changed, verifiers)).rejects.toThrow();
    }
  });

  it('do not unpack without bound', async () => {
    const bomb = { ...bundle, tcb_info: 'a'.repeat(5 * 1024 * 1024) };
    const record = await encodeRecord('k', { bundle: bomb, fetchedAt, source: 'pcs' }, signer);
    await expect(decodeRecord('k', record, verifiers)).rejects.toMatchObject({
      code: 'ERR_BUFFER_TOO_LARGE',
    });
  });
});
