import { encodePem, parseQuote, splitPemChain } from '#dcap';
import { SimulatedSgx, type PlatformOptions, type QuoteRequest } from '#simulator';
import { describe, expect, it } from '@jest/globals';
import { AppraisalKeys } from './appraisal-key.js';
import { chainDigestOf } from './evidence-origin.js';

const sgx = SimulatedSgx.create({ seed: 'appraisal keys', now: new Date('2026-11-23T12:00:00Z') });
const keys = new AppraisalKeys();
const keyOf = (machine: PlatformOptions, quote: QuoteRequest = {}): string => {
  const parsed = parseQuote(sgx.platform({ name: 'one', ...machine }).quote(quote));
  return keys.of(parsed, chainDigestOf(parsed, undefined), parsed.qe.certification.raw);
};
const one = keyOf({});

describe('AppraisalKeys', () => {
  it('is the same for all enclaves of a machine', () => {
    expect(one).toMatch(/^[0-9a-f]{64}$/);
    expect(keyOf({}, { mrenclave: 'ab'.repeat(32), reportData: Buffer.alloc(64, 7) })).toBe(one);
  });

  it('does not depend on what the holder of a quote can vary without a signature', () => {
    const parsed = parseQuote(sgx.platform({ name: 'one' }).quote({}));
    const { raw } = parsed.qe.certification;
    const pem = splitPemChain(raw)
      .map((der) => encodePem(der, '\n', 76))
      .join('\n');
    expect(pem).not.toBe(raw.toString('latin1'));
    expect(keys.of(parsed, chainDigestOf(parsed, pem), pem)).toBe(one);
  });

  it.each([
    ['another machine', keyOf({ name: 'two' })],
    ['another microcode', keyOf({ tcbStatus: 'OutOfDate' })],
    ['another quoting enclave', keyOf({ qeStatus: 'OutOfDate' })],
    ['a trust domain', keyOf({}, { tee: 'tdx' })],
  ])('is another for %s', (_name, key) => {
    expect(key).not.toBe(one);
  });

  it('refuses a chain without a PCK certificate', () => {
    const parsed = parseQuote(sgx.platform({ name: 'one' }).quote({}));
    expect(() => keys.of(parsed, 'none', sgx.rootPem)).toThrow(
      expect.objectContaining({ code: 'CERT_ROLE_INVALID' }),
    );
  });
});
