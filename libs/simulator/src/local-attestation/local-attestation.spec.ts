import { parseQuote } from '#dcap';
import { describe, expect, it } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { SimulatedSgx, SoftwareEnclave, SoftwareProcessor, SoftwareQuotingEnclave } from '../index.js';
import { aesCmac } from './aes-cmac.js';
import { targetInfoFor } from './software-processor.js';

/** RFC 4493 §4. */
const KEY = Buffer.from('2b7e151628aed2a6abf7158809cf4f3c', 'hex');
const MESSAGE = Buffer.from(
  '6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51' +
    '30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710',
  'hex',
);

describe('AES-CMAC', () => {
  it.each([
    [0, 'bb1d6929e95937287fa37d129b756746'],
    [16, '070a16b46b4d4144f79bdd9dd04a287c'],
    [40, 'dfa66747de9ae63030ca32611497c827'],
    [64, '51f0bebf7e3b9d92fc49741779363cfe'],
  ])('is that of RFC 4493 over %i bytes', (length, mac) => {
    expect(aesCmac(KEY, MESSAGE.subarray(0, length)).toString('hex')).toBe(mac);
  });
});

describe('local attestation on one machine', () => {
  const platform = SimulatedSgx.create({ seed: 'local' }).platform();
  const processor = new SoftwareProcessor();
  const app = new SoftwareEnclave(platform, processor, { mrenclave: 'aa'.repeat(32), miscSelect: 1 });
  const other = new SoftwareEnclave(platform, processor, { mrenclave: 'bb'.repeat(32), miscSelect: 1 });
  const qe = new SoftwareQuotingEnclave(platform, processor);

  it('is believed by the enclave it is meant for and by no other, nor elsewhere, nor altered', () => {
    const report = other.report(targetInfoFor(app.body), Buffer.alloc(64, 1));
    expect(app.accepts(report)).toBe(true);
    expect(other.accepts(report)).toBe(false);
    const elsewhere = new SoftwareEnclave(platform, new SoftwareProcessor(), {
      mrenclave: 'aa'.repeat(32),
      miscSelect: 1,
    });
    expect(elsewhere.accepts(report)).toBe(false);
    for (const at of [0, 320, 390, 431]) {
      const altered = Buffer.from(report);
      altered[at]! ^= 1;
      expect(app.accepts(altered)).toBe(false);
    }
  });

  it('becomes a quote over the same body, and an answer that vouches for nonce and quote', () => {
    const report = app.report(qe.targetInfo, randomBytes(64));
    const quote = qe.quote(report)!;
    expect(parseQuote(quote).body.raw.equals(report.subarray(0, 384))).toBe(true);
    expect(quote).toHaveLength(qe.quoteSize);
    const nonce = randomBytes(16);
    const info = Buffer.concat([nonce, targetInfoFor(app.body), Buffer.alloc(432)]);
    const vouched = qe.answer(info, quote).subarray(528);
    expect(app.accepts(vouched)).toBe(true);
    const hash = createHash('sha256').update(nonce).update(quote).digest();
    expect(vouched.subarray(320, 384)).toEqual(Buffer.concat([hash, Buffer.alloc(32)]));
  });

  it('gives no quote for a REPORT that is meant for another enclave', () => {
    expect(qe.quote(app.report(targetInfoFor(other.body), randomBytes(64)))).toBeUndefined();
  });
});
