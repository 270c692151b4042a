import { describe, expect, it, jest } from '@jest/globals';
import { SimulatedSgx } from '#simulator';
import type { CollateralOptions } from '#simulator';
import { CollateralEpoch } from './collateral-epoch.js';
import { QuoteVerifier } from './quote-verifier.js';
import { trustAnchorFromPem } from './trust-anchor.js';
import type { VerificationReport } from './report.js';

const AT = new Date('2026-06-01T00:00:00Z');
const DAY = 86_400_000;
const sgx = SimulatedSgx.create({ seed: 'verifier', now: AT });
const trustAnchors = [
  trustAnchorFromPem(sgx.rootPem, { id: 'simulated', simulated: true, profile: 'intel' }),
];
const platform = sgx.platform({ name: 'one' });
const other = sgx.platform({ name: 'two' });

const request = (i: number) => ({
  mrenclave: 'aa'.repeat(32),
  mrsigner: 'bb'.repeat(32),
  reportData: i.toString(16).padStart(128, '0'),
});
const open = (options: Partial<CollateralOptions> = {}): CollateralEpoch =>
  CollateralEpoch.open(sgx.collateral({ platform, ...options }), { at: AT, trustAnchors });
const flipped = (bytes: Buffer, at: number): Buffer => {
  const changed = Buffer.from(bytes);
  changed[at] = (changed[at] as number) ^ 1;
  return changed;
};
/** Whether a report rests on memory: then the steps of the PCK are the very objects of an earlier report. */
const shares = (a: VerificationReport, b: VerificationReport, name: string): boolean => {
  const find = (report: VerificationReport) => report.steps.find((step) => step.name === name);
  return find(a) !== undefined && find(a) === find(b);
};

describe('QuoteVerifier', () => {
  it('remembers the quoting enclave, the PCK, or nothing', () => {
    const epoch = open();
    const verifier = new QuoteVerifier();
    const first = verifier.verify(platform.quote(request(1)), epoch, AT);
    const sameQe = verifier.verify(platform.quote(request(2)), epoch, AT);
    const freshKey = verifier.verify(platform.quote({ ...request(3), attestationKey: 'fresh' }), epoch, AT);
    const stranger = verifier.verify(other.quote(request(4)), epoch, AT);
    expect([first, sameQe, freshKey, stranger].map(({ verified }) => verified)).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(
      [sameQe, freshKey, stranger].map((report) => shares(first, report, 'qe-report-signature')),
    ).toEqual([true, false, false]);
    expect([sameQe, freshKey, stranger].map((report) => shares(first, report, 'pck-chain'))).toEqual([
      true,
      true,
      false,
    ]);
    expect(sameQe.reportData).toBe(request(2).reportData);
    expect(stranger.ppidSha256).not.toBe(first.ppidSha256);
  });

  it('checks the signature of every quote, known or not', () => {
    const epoch = open();
    const verifier = new QuoteVerifier();
    const quote = platform.quote(request(1));
    expect(verifier.verify(quote, epoch, AT).verified).toBe(true);
    expect(verifier.verify(flipped(quote, 48 + 320), epoch, AT).error?.code).toBe('QUOTE_SIGNATURE_INVALID');
    expect(verifier.verify(flipped(quote, 432 + 4), epoch, AT).error?.code).toBe('QUOTE_SIGNATURE_INVALID');
    expect(verifier.verify(quote, epoch, AT).verified).toBe(true);
  });

  it('does not remember what it refused', () => {
    const epoch = open();
    const verifier = new QuoteVerifier();
    const quote = platform.quote(request(1));
    // The first byte of the QE report: signed by the PCK.
    const bad = flipped(quote, 436 + 128);
    for (let i = 0; i < 2; i++)
      expect(verifier.verify(bad, epoch, AT).error?.code).toBe('QE_REPORT_SIGNATURE_INVALID');
    expect(verifier.verify(quote, epoch, AT).verified).toBe(true);
    expect(verifier.verify(bad, epoch, AT).error?.code).toBe('QE_REPORT_SIGNATURE_INVALID');
  });

  it('ties its memory to the epoch', () => {
    const verifier = new QuoteVerifier();
    const quote = platform.quote(request(1));
    const before = open();
    expect(verifier.verify(quote, before, AT).verified).toBe(true);
    const revoked = open({ revokedPcks: [platform.pck.profile.serial] });
    expect(verifier.verify(quote, revoked, AT).error?.code).toBe('PCK_REVOKED');
    expect(verifier.verify(quote, before, AT).verified).toBe(true);
  });

  it('checks the dates on every use', () => {
    const epoch = open();
    const verifier = new QuoteVerifier();
    const quote = platform.quote(request(1));
    expect(verifier.verify(quote, epoch, AT).verified).toBe(true);
    const late = verifier.verify(quote, epoch, new Date(epoch.earliestExpiration.getTime() + 1000));
    expect(late.verified).toBe(false);
    expect(late.steps.at(-1)).toMatchObject({ name: 'collateral-time', ok: false });
    const early = verifier.verify(quote, epoch, new Date(epoch.earliestIssue.getTime() - 400 * DAY));
    expect(early.error?.code).toMatch(/NOT_YET_VALID$/);
    expect(verifier.verify(quote, epoch, new Date(NaN)).error?.code).toBe('CLOCK_INVALID');
    expect(verifier.verify(quote, epoch, AT).verified).toBe(true);
  });

  it('checks the dates of a remembered PCK on every use', () => {
    const epoch = open();
    const verifier = new QuoteVerifier();
    const quote = platform.quote(request(1));
    expect(verifier.verify(quote, epoch, AT).verified).toBe(true);
    // Collateral that stays fresh for ever leaves only the dates of the PCK chain.
    const fresh = jest.spyOn(epoch, 'checkFresh').mockImplementation(() => undefined);
    const report = verifier.verify(quote, epoch, new Date('2080-01-01T00:00:00Z'));
    fresh.mockRestore();
    expect(report.error?.code).toBe('CERT_EXPIRED');
    expect(report.steps.at(-1)).toMatchObject({ name: 'pck-certificate', ok: false });
  });

  it('keeps within its bounds', () => {
    const epoch = open();
    const verifier = new QuoteVerifier({ maxPcks: 1, maxQeBlocks: 1 });
    const quotes = [platform.quote(request(1)), other.quote(request(2))];
    for (let i = 0; i < 6; i++) {
      expect(verifier.verify(quotes[i % 2] as Buffer, epoch, AT).verified).toBe(true);
    }
    const sizes = verifier as unknown as { pcks: { size: number }; qes: { size: number } };
    expect([sizes.pcks.size, sizes.qes.size]).toEqual([1, 1]);
  });

  it('takes a looked-up chain where the quote has none, and only a fitting one', () => {
    const epoch = open();
    const verifier = new QuoteVerifier();
    for (const certificationType of [1, 2, 3, 4] as const) {
      const quote = platform.quote({ ...request(1), certificationType });
      expect(verifier.verify(quote, epoch, AT).error?.code).toBe('PCK_LOOKUP_REQUIRED');
      const found = verifier.verify(quote, epoch, AT, { pckCertificateChain: platform.chainPem });
      expect([found.verified, found.fmspc]).toEqual([true, platform.fmspc]);
      const foreign = verifier.verify(quote, epoch, AT, { pckCertificateChain: other.chainPem });
      expect(foreign.error?.code).toBe(
        certificationType === 4 ? 'CERT_ISSUER_MISMATCH' : 'QE_REPORT_SIGNATURE_INVALID',
      );
    }
  });

  it('reports one TD relaunch rule for launch and current module', () => {
    const machine = sgx.platform({ name: 'td', moduleStatus: 'OutOfDate' });
    const tdx = CollateralEpoch.open(sgx.collateral({ platform: machine, tee: 'tdx' }), {
      at: AT,
      trustAnchors,
    });
    const td = { tee: 'tdx' as const, mrtd: 'cc'.repeat(48), version: 5 as const, bodyType: 'td15' as const };
    const verifier = new QuoteVerifier();
    const outdated = machine.quote({ ...td, reportData: '00'.repeat(64) });
    const updated = sgx.platform({ name: 'td' }).quote({ ...td, reportData: '01'.repeat(64) });
    const reports = [outdated, updated, outdated].map((quote) => verifier.verify(quote, tdx, AT));
    expect(reports.map(({ relaunch }) => relaunch?.launch)).toEqual(['OutOfDate', 'UpToDate', 'OutOfDate']);
    expect(reports[0]?.tcbStatus).toBe(reports[2]?.tcbStatus);
  });

  it('refuses what is no byte array without throwing', () => {
    for (const evidence of ['quote', null, undefined, 7, [3, 0]]) {
      const report = new QuoteVerifier().verify(evidence as unknown as Uint8Array, open(), AT);
      expect(report).toMatchObject({
        verified: false,
        evidenceSha256: '',
        error: { code: 'OPTIONS_INVALID' },
      });
    }
  });
});
