import type { Quote } from './quote.js';
import { SgxReportBody } from './report-body.js';
import type { TdReportBody } from './report-body.js';
import type { VerificationReport } from './report.js';

/** What the quote itself says, as the report names it. */
export type QuoteClaims = Partial<VerificationReport>;

/** Describes the body of a quote. Nothing of it is authentic unless the quote verifies. */
export function quoteClaims(quote: Quote): QuoteClaims {
  return quote.body instanceof SgxReportBody ? sgxClaims(quote, quote.body) : tdxClaims(quote, quote.body);
}

function sgxClaims(quote: Quote, body: SgxReportBody): QuoteClaims {
  const { raw } = body;
  return {
    tee: 'sgx',
    quoteVersion: quote.version,
    qeId: quote.userData.toString('hex', 0, 16),
    mrenclave: raw.toString('hex', 64, 96),
    mrsigner: raw.toString('hex', 128, 160),
    isvProdId: body.isvProdId,
    isvSvn: body.isvSvn,
    isvExtProdId: raw.toString('hex', 32, 48),
    isvFamilyId: raw.toString('hex', 304, 320),
    configId: raw.toString('hex', 192, 256),
    configSvn: body.configSvn,
    attributes: raw.toString('hex', 48, 64),
    miscSelect: raw.toString('hex', 16, 20),
    cpuSvn: raw.toString('hex', 0, 16),
    debug: body.debug,
    reportData: raw.toString('hex', 320, 384),
  };
}

function tdxClaims(quote: Quote, body: TdReportBody): QuoteClaims {
  const { raw } = body;
  return {
    tee: 'tdx',
    quoteVersion: quote.version,
    qeId: quote.userData.toString('hex', 0, 16),
    mrtd: raw.toString('hex', 136, 184),
    rtmr0: raw.toString('hex', 328, 376),
    rtmr1: raw.toString('hex', 376, 424),
    rtmr2: raw.toString('hex', 424, 472),
    rtmr3: raw.toString('hex', 472, 520),
    mrSeam: raw.toString('hex', 16, 64),
    mrSignerSeam: raw.toString('hex', 64, 112),
    seamAttributes: raw.toString('hex', 112, 120),
    mrConfigId: raw.toString('hex', 184, 232),
    mrOwner: raw.toString('hex', 232, 280),
    mrOwnerConfig: raw.toString('hex', 280, 328),
    tdAttributes: raw.toString('hex', 120, 128),
    xfam: raw.toString('hex', 128, 136),
    teeTcbSvn: raw.toString('hex', 0, 16),
    ...(body.kind === 'td15' && {
      teeTcbSvn2: raw.toString('hex', 584, 600),
      mrServiceTd: raw.toString('hex', 600, 648),
    }),
    debug: body.debug,
    reportData: raw.toString('hex', 520, 584),
  };
}
