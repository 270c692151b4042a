import { describe, expect, it } from '@jest/globals';
import {
  COLLATERAL_FIELDS,
  CollateralEpoch,
  DcapError,
  INTEL_SGX_ROOT,
  QuoteVerifier,
  trustAnchorFromPem,
  VERIFICATION_STEPS,
  verifyQuote,
  type VerificationReport,
} from '#dcap';
import {
  ACCEPTED_VARIANTS,
  BROKEN_COLLATERAL,
  BROKEN_QUOTES,
  mirrorSignature,
  SimulatedSgx,
  STATUS_CASES,
  type BrokenCase,
  type Evidence,
} from '#simulator';

const NOW = new Date('2026-03-01T12:00:00Z');
const sgx = SimulatedSgx.create({ seed: 'negative corpus', now: NOW });
// The strict profile: simulated certificates have the shape of Intel's, so every rule for those is tested.
const simulatedRoot = trustAnchorFromPem(sgx.rootPem, { id: 'simulated', simulated: true, profile: 'intel' });

function optionsOf({ at, settings }: Evidence) {
  const { withoutSimulatedRoot, ...rest } = settings ?? {};
  return { at, trustAnchors: [withoutSimulatedRoot === true ? INTEL_SGX_ROOT : simulatedRoot], ...rest };
}

const evidenceOptions = ({ settings }: Evidence) =>
  settings?.pckCertificateChain === undefined ? {} : { pckCertificateChain: settings.pckCertificateChain };

const verifyAtOnce = (evidence: Evidence): VerificationReport =>
  verifyQuote(evidence.quote, evidence.bundle, optionsOf(evidence));

/** The code of the staged verifier, which has seen the valid twin before: its memory must not change a verdict. */
function stagedCode(verifier: QuoteVerifier, broken: Evidence, twin: Evidence): string {
  let epoch: CollateralEpoch;
  try {
    epoch = CollateralEpoch.open(broken.bundle, optionsOf(broken));
  } catch (error) {
    if (error instanceof DcapError) return error.code;
    throw error;
  }
  verifier.verify(twin.quote, epoch, broken.at, evidenceOptions(twin));
  const report = verifier.verify(broken.quote, epoch, broken.at, evidenceOptions(broken));
  return report.error?.code ?? 'VERIFIED';
}

const verifiedTwins = new WeakSet<Evidence>();

/** The twin differs in one thing alone, so it must verify; one that many cases share is verified once. */
function expectValidTwin(twin: Evidence): void {
  if (verifiedTwins.has(twin)) return;
  const { withoutSimulatedRoot: _, ...settings } = twin.settings ?? {};
  const report = verifyAtOnce({ ...twin, settings });
  expect({ error: report.error, verified: report.verified, simulated: report.simulated }).toEqual({
    error: undefined,
    verified: true,
    simulated: true,
  });
  verifiedTwins.add(twin);
}

function checkBroken(verifier: QuoteVerifier, { expectedCode, make, twin }: BrokenCase): void {
  const broken = make(sgx);
  const report = verifyAtOnce(broken);
  expect({ code: report.error?.code, message: report.error?.message }).toEqual({
    code: expectedCode,
    message: expect.stringMatching(/./),
  });
  expect(report.verified).toBe(false);
  const failed = report.steps.filter((step) => !step.ok);
  if (expectedCode !== 'CLOCK_INVALID') {
    expect(failed).toHaveLength(1);
    expect(report.steps.at(-1)).toBe(failed[0]);
    expect(VERIFICATION_STEPS).toContain(failed[0]?.name);
  }
  const good = twin(sgx);
  expectValidTwin(good);
  expect(stagedCode(verifier, broken, good)).toBe(expectedCode);
}

describe('the negative corpus', () => {
  const all = [...BROKEN_QUOTES, ...BROKEN_COLLATERAL];

  it('names each of its more than three thousand cases once', () => {
    expect(all.length).toBeGreaterThan(3000);
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
  });

  describe.each([
    ['quotes', BROKEN_QUOTES],
    ['collateral', BROKEN_COLLATERAL],
  ] as const)('broken %s', (_, cases) => {
    const verifier = new QuoteVerifier();
    it.each(cases.map((each) => [each.name, each.expectedCode, each] as const))(
      '%s is refused with %s',
      (_name, _code, each) => checkBroken(verifier, each),
    );
  });
});

describe('every state of a genuine platform', () => {
  it.each(STATUS_CASES.map((each) => [each.name, each.expectedStatus, each] as const))(
    '%s gives %s',
    (_name, expected, each) => {
      const report = verifyAtOnce(each.make(sgx));
      expect({ status: report.tcbStatus, verified: report.verified, code: report.error?.code }).toEqual({
        status: expected,
        verified: expected !== 'Revoked',
        code: expected === 'Revoked' ? 'TCB_REVOKED' : undefined,
      });
      expect([report.platformStatus, report.qeStatus, report.moduleStatus]).toEqual([
        each.platformStatus,
        each.qeStatus,
        each.moduleStatus,
      ]);
    },
  );
});

describe('unusual, but valid evidence', () => {
  it.each(ACCEPTED_VARIANTS.map((each) => [each.name, each] as const))('%s', (_name, each) => {
    const evidence = each.make(sgx);
    const report = verifyAtOnce(evidence);
    expect({ status: report.tcbStatus, error: report.error }).toEqual({
      status: each.expectedStatus,
      error: undefined,
    });
    expect(stagedCode(new QuoteVerifier(), evidence, evidence)).toBe('VERIFIED');
  });
});

describe('the identity of evidence', () => {
  it('stays when the signature is replaced by its other valid form', () => {
    const platform = sgx.platform({ name: 'malleable' });
    const quote = platform.quote({ reportData: '11'.repeat(64) });
    const bundle = sgx.collateral({ platform });
    const at = 436;
    const twisted = Buffer.concat([
      quote.subarray(0, at),
      mirrorSignature(quote.subarray(at, at + 64)),
      quote.subarray(at + 64),
    ]);
    const [first, second] = [quote, twisted].map((each) => verifyAtOnce({ quote: each, bundle, at: NOW }));
    expect([first?.verified, second?.verified]).toEqual([true, true]);
    expect(second?.evidenceSha256).not.toBe(first?.evidenceSha256);
    expect(second?.signedRegionSha256).toBe(first?.signedRegionSha256);
  });
});

/** Where a bit of a quote is flipped, and the codes by which it may be refused. */
interface Region {
  name: string;
  from: number;
  to: number;
  codes: RegExp;
}

function regionsOf(quote: Buffer, version: 3 | 5, bodyBytes: number): Region[] {
  const regions: Region[] = [];
  let at = 0;
  const region = (name: string, length: number, codes: RegExp): void => {
    regions.push({ name, from: at, to: at + length, codes });
    at += length;
  };
  region(
    'version',
    2,
    /^QUOTE_VERSION_UNSUPPORTED$|^QUOTE_(MALFORMED|CERT_TYPE_UNSUPPORTED|TEE_TYPE_UNSUPPORTED)$/,
  );
  region('key type', 2, /^QUOTE_KEY_TYPE_UNSUPPORTED$/);
  region('TEE type', 4, /^QUOTE_(TEE_TYPE_UNSUPPORTED|RESERVED_NOT_ZERO)$/);
  region('SVNs', 4, /^QUOTE_SIGNATURE_INVALID$/);
  region('vendor', 16, /^QUOTE_VENDOR_UNKNOWN$/);
  region('user data', 20, /^QUOTE_SIGNATURE_INVALID$/);
  if (version === 5) region('body descriptor', 6, /^QUOTE_BODY_TYPE_UNSUPPORTED$/);
  region('body', bodyBytes, /^QUOTE_SIGNATURE_INVALID$/);
  region('length of the signature data', 4, /^QUOTE_(MALFORMED|TRAILING_DATA)$/);
  region('quote signature', 64, /^QUOTE_SIGNATURE_INVALID$/);
  region('attestation key', 64, /^QE_REPORT_DATA_MISMATCH$/);
  if (version === 5) {
    region('outer type', 2, /^QUOTE_CERT_TYPE_UNSUPPORTED$/);
    region('outer length', 4, /^QUOTE_MALFORMED$/);
  }
  region('QE report', 384, /^QE_REPORT_SIGNATURE_INVALID$/);
  region('QE report signature', 64, /^QE_REPORT_SIGNATURE_INVALID$/);
  region('length of the authentication data', 2, /^QUOTE_(MALFORMED|CERT_TYPE_UNSUPPORTED)$/);
  region('authentication data', 32, /^QE_REPORT_DATA_MISMATCH$/);
  region('certification type', 2, /^(QUOTE_CERT_TYPE_UNSUPPORTED|QUOTE_MALFORMED|PCK_LOOKUP_REQUIRED)$/);
  region('certification length', 4, /^QUOTE_MALFORMED$/);
  region(
    'PCK chain',
    quote.length - at,
    /^(PEM|DER|CERT|CRL|SGX_EXTENSION|KEY|ROOT|PCK|FMSPC|PCE_ID|QE_REPORT_SIGNATURE|TCB)_/,
  );
  return regions;
}

describe.each([
  ['sgx-v3', { version: 3 }, 384],
  ['td15-v5', { tee: 'tdx', version: 5, bodyType: 'td15' }, 648],
] as const)('a flipped bit in any byte of a quote (%s)', (_name, request, bodyBytes) => {
  const platform = sgx.platform({ name: 'flips' });
  const quote = platform.quote({ ...request, reportData: '5a'.repeat(64) });
  const tee = 'tee' in request ? request.tee : 'sgx';
  const epoch = CollateralEpoch.open(sgx.collateral({ platform, tee }), {
    at: NOW,
    trustAnchors: [simulatedRoot],
  });
  const verifier = new QuoteVerifier();

  it('starts from a quote that verifies', () => {
    expect(verifier.verify(quote, epoch, NOW).verified).toBe(true);
  });

  // No byte may change: even line ends and padding bits of the PEM chain are canonical.
  it.each(regionsOf(quote, request.version, bodyBytes).map((region) => [region.name, region] as const))(
    'is refused in: %s',
    (_region, { from, to, codes }) => {
      for (let at = from; at < to; at++) {
        const changed = Buffer.from(quote);
        changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
        const report = verifier.verify(changed, epoch, NOW);
        expect({ at, verified: report.verified, code: report.error?.code }).toEqual({
          at,
          verified: false,
          code: expect.stringMatching(codes),
        });
      }
    },
  );
});

describe('a flipped bit in any character of the collateral', () => {
  const platform = sgx.platform({ name: 'flips' });
  const bundle = sgx.collateral({ platform });
  const options = { at: NOW, trustAnchors: [simulatedRoot] };

  it('starts from collateral that opens', () => {
    expect(CollateralEpoch.open(bundle, options).fmspc).toBe(platform.fmspc);
  });

  // No character may change: hex has one case, PEM and DER one form, and the documents are signed as text.
  it.each(COLLATERAL_FIELDS)('is refused in: %s', (field) => {
    const text = Buffer.from(bundle[field]);
    // One signature covers all of a document; its characters are sampled with a stride that meets every kind of token.
    const stride = field === 'tcb_info' ? 7 : 1;
    for (let at = 0; at < text.length; at += stride) {
      const changed = Buffer.from(text);
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 7));
      let code = 'OPENED';
      try {
        CollateralEpoch.open({ ...bundle, [field]: changed.toString('latin1') }, options);
      } catch (error) {
        code = error instanceof DcapError ? error.code : String(error);
      }
      expect({ at, code }).toEqual({
        at,
        code: expect.stringMatching(
          /^(PEM|DER|CERT|CRL|ROOT|KEY|TCB_INFO|QE_IDENTITY|COLLATERAL|INTERMEDIATE|PCK)_/,
        ),
      });
    }
  });
});
