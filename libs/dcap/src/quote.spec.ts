import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SimulatedSgx } from '#simulator';
import { DcapError } from './error.js';
import { MIN_QUOTE_BYTES, parseQuote } from './quote.js';
import { SgxReportBody, TdReportBody } from './report-body.js';

const sgx = SimulatedSgx.create({ seed: 'quotes', now: new Date('2026-06-01T00:00:00Z') });
const platform = sgx.platform();
const reportData = Buffer.from(Array.from({ length: 64 }, (_, i) => i));
const SGX = {
  mrenclave: 'aa'.repeat(32),
  mrsigner: 'bb'.repeat(32),
  isvProdId: 0x1234,
  isvSvn: 0x5678,
  reportData,
};
const TDX = { tee: 'tdx' as const, mrtd: 'cc'.repeat(48), reportData };

const QUOTES = {
  'v3 sgx': platform.quote({ ...SGX, version: 3 }),
  'v4 sgx': platform.quote({ ...SGX, version: 4 }),
  'v5 sgx': platform.quote({ ...SGX, version: 5 }),
  'v4 td10': platform.quote({ ...TDX, version: 4 }),
  'v5 td10': platform.quote({ ...TDX, version: 5, bodyType: 'td10' }),
  'v5 td15': platform.quote({ ...TDX, version: 5, bodyType: 'td15' }),
};
const all = Object.entries(QUOTES);

function codeOf(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    return error instanceof DcapError ? error.code : 'a raw error';
  }
  return 'accepted';
}

describe('parseQuote', () => {
  it.each(all)('%s', (name, bytes) => {
    const quote = parseQuote(bytes);
    expect(`v${quote.version} ${quote.body.kind}`).toBe(name);
    expect(quote.tee).toBe(name.endsWith('sgx') ? 'sgx' : 'tdx');
    expect(quote.trailingPadding).toBe(0);
    expect(quote.body.reportData).toEqual(reportData);
    const { body } = quote;
    if (body instanceof SgxReportBody) {
      expect(body.mrEnclave.toString('hex')).toBe(SGX.mrenclave);
      expect(body.mrSigner.toString('hex')).toBe(SGX.mrsigner);
      expect([body.isvProdId, body.isvSvn, body.debug]).toEqual([0x1234, 0x5678, false]);
    } else {
      expect(body.mrTd.toString('hex')).toBe(TDX.mrtd);
      expect(body.teeTcbSvn2?.length).toBe(name === 'v5 td15' ? 16 : undefined);
      expect(body.mrServiceTd?.length).toBe(name === 'v5 td15' ? 48 : undefined);
    }
    const header = quote.version === 5 ? 54 : 48;
    expect(quote.signedRegion.length).toBe(header + body.raw.length);
    expect(quote.qe.certification.type).toBe(5);
    expect(
      Buffer.concat([bytes.subarray(0, quote.signedRegion.length + 4), quote.signature, quote.qeBlock]),
    ).toEqual(bytes);
  });

  it('tells debug of SGX and of TDX', () => {
    expect(parseQuote(platform.quote({ ...SGX, debug: true })).body.debug).toBe(true);
    const tdx = parseQuote(platform.quote({ ...TDX, tdAttributes: '0200000000000000' }));
    expect(tdx.body instanceof TdReportBody && tdx.body.debug).toBe(true);
  });

  it.each(all)('%s: a view at any offset of a larger buffer', (_name, bytes) => {
    const larger = new Uint8Array(bytes.length + 7);
    larger.set(bytes, 5);
    expect(parseQuote(larger.subarray(5, 5 + bytes.length)).bytes.equals(bytes)).toBe(true);
  });

  it.each(all)('%s: zero padding is reported, other bytes are refused', (_name, bytes) => {
    const padded = parseQuote(Buffer.concat([bytes, Buffer.alloc(70)]));
    expect([padded.trailingPadding, padded.bytes.length]).toEqual([70, bytes.length]);
    expect(codeOf(() => parseQuote(Buffer.concat([bytes, Buffer.from([0, 0, 1])])))).toBe(
      'QUOTE_TRAILING_DATA',
    );
  });

  it.each(all)('%s: cut anywhere, it is refused', (_name, bytes) => {
    for (let length = 0; length < bytes.length; length += 13) {
      expect(codeOf(() => parseQuote(bytes.subarray(0, length)))).toBe(
        length < MIN_QUOTE_BYTES ? 'QUOTE_TOO_SHORT' : 'QUOTE_MALFORMED',
      );
    }
  });

  it('has a limit that the caller may set', () => {
    const bytes = QUOTES['v3 sgx'];
    expect(codeOf(() => parseQuote(Buffer.alloc(32 * 1024 + 1)))).toBe('QUOTE_TOO_LARGE');
    expect(codeOf(() => parseQuote(bytes, { maxBytes: bytes.length - 1 }))).toBe('QUOTE_TOO_LARGE');
    expect(codeOf(() => parseQuote(bytes, { maxBytes: bytes.length }))).toBe('accepted');
  });

  it.each([
    [1, 16],
    [2, 256],
    [3, 384],
  ] as const)('certification data of type %i', (type, ppidBytes) => {
    const { certification } = parseQuote(platform.quote({ ...SGX, certificationType: type })).qe;
    expect(certification).toMatchObject({ type, pceId: platform.pceId });
    expect('ppid' in certification && certification.ppid.length).toBe(ppidBytes);
  });

  it('throws nothing but its own error, whatever the bytes', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...all),
        fc.array(fc.tuple(fc.nat(1100), fc.nat(255)), { maxLength: 6 }),
        ([, bytes], edits) => {
          const changed = Buffer.from(bytes);
          for (const [at, value] of edits) changed[at] = value;
          expect(codeOf(() => parseQuote(changed))).not.toBe('a raw error');
        },
      ),
      { numRuns: 2000 },
    );
  });
});
