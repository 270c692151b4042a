import { describe, expect, it } from '@jest/globals';
import { ACCEPTED_VARIANTS, BROKEN_COLLATERAL, BROKEN_QUOTES, SimulatedSgx, STATUS_CASES } from '#simulator';
import type { BrokenCase, Evidence } from '#simulator';
import { INTEL_SGX_ROOT, trustAnchorFromPem } from './trust-anchor.js';
import { VERIFICATION_STEPS } from './steps.js';
import { verifyQuote } from './verify-quote.js';
import { CollateralEpoch } from './collateral-epoch.js';
import { QuoteVerifier } from './quote-verifier.js';
import { DcapError } from './error.js';
import type { VerificationReport } from './report.js';

const sgx = SimulatedSgx.create({ seed: 'dcap corpus', now: new Date('2026-06-01T00:00:00Z') });
const anchor = trustAnchorFromPem(sgx.rootPem, { id: 'simulated', simulated: true, profile: 'intel' });

function options({ at, settings = {} }: Evidence) {
  const { withoutSimulatedRoot, ...rest } = settings;
  return { at, trustAnchors: withoutSimulatedRoot === true ? [INTEL_SGX_ROOT] : [anchor], ...rest };
}

/** In one go. */
function once(evidence: Evidence): VerificationReport {
  return verifyQuote(evidence.quote, evidence.bundle, options(evidence));
}

/** With an epoch that is open before the quote is seen; the refusal of collateral is thrown by the epoch. */
function staged(evidence: Evidence, verifier: QuoteVerifier): string {
  try {
    const epoch = CollateralEpoch.open(evidence.bundle, options(evidence));
    return verifier.verify(evidence.quote, epoch, evidence.at, options(evidence)).error?.code ?? 'verified';
  } catch (error) {
    return error instanceof DcapError ? error.code : 'a raw error';
  }
}

/** Every n-th, the first included: making and checking all of them again would take a minute. */
function sample<T>(group: readonly T[], n: number): T[] {
  return group.filter((_, i) => i % n === 0);
}

function areaOf({ name }: { name: string }): string {
  return name.split('/')[0] ?? '';
}

function byArea(cases: readonly BrokenCase[]): [string, BrokenCase[]][] {
  return [...Map.groupBy(cases, areaOf)];
}

describe.each([
  ['quotes', BROKEN_QUOTES],
  ['collateral', BROKEN_COLLATERAL],
])('broken %s', (_what, cases) => {
  it.each(byArea(cases))('%s: each is refused for its one reason', (_area, group) => {
    for (const each of group) {
      const report = once(each.make(sgx));
      expect([each.name, report.error?.code]).toEqual([each.name, each.expectedCode]);
      expect(report.verified).toBe(false);
      const failed = report.steps.filter(({ ok }) => !ok);
      expect([each.name, failed.length]).toEqual([each.name, 1]);
      expect(report.steps.at(-1)).toBe(failed[0]);
      expect(VERIFICATION_STEPS).toContain(failed[0]?.name);
      if (report.tcbStatus !== undefined) expect(report.tcbStatus).toBe('Revoked');
    }
  });

  it.each(byArea(cases))('%s: the valid twins verify, so that the reason is the one', (_area, group) => {
    for (const each of sample(group, 5))
      expect([each.name, once(each.twin(sgx)).error]).toEqual([each.name, undefined]);
  });

  it.each(byArea(cases))('%s: refused alike by a verifier that knows the twin', (_area, group) => {
    for (const each of sample(group, 9)) {
      const verifier = new QuoteVerifier();
      expect([each.name, staged(each.twin(sgx), verifier)]).toEqual([each.name, 'verified']);
      expect([each.name, staged(each.make(sgx), verifier)]).not.toEqual([each.name, 'verified']);
    }
  });
});

describe('unusual but valid evidence', () => {
  it.each([...Map.groupBy(ACCEPTED_VARIANTS, ({ name }) => name.split('/').at(-1) ?? '')])(
    '%s',
    (_kind, group) => {
      for (const each of group) {
        const evidence = each.make(sgx);
        const report = once(evidence);
        expect([each.name, report.error]).toEqual([each.name, undefined]);
        expect([each.name, report.tcbStatus]).toEqual([each.name, each.expectedStatus]);
        expect([each.name, staged(evidence, new QuoteVerifier())]).toEqual([each.name, 'verified']);
      }
    },
  );
});

describe('TCB statuses', () => {
  it.each([...Map.groupBy(STATUS_CASES, ({ platformStatus }) => platformStatus)])(
    'platform %s',
    (_status, group) => {
      for (const each of group) {
        const report = once(each.make(sgx));
        expect([each.name, report.tcbStatus]).toEqual([each.name, each.expectedStatus]);
        expect(report.verified).toBe(each.expectedStatus !== 'Revoked');
        if (each.expectedStatus === 'Revoked') expect(report.error?.code).toBe('TCB_REVOKED');
      }
    },
  );
});

describe('the profile of a root that the caller pins', () => {
  const role = trustAnchorFromPem(sgx.rootPem, { id: 'pinned', simulated: true });
  const CODES_OF_FORM = ['CERT_INVALID', 'CERT_CONSTRAINTS_INVALID', 'CERT_ROLE_INVALID', 'CRL_INVALID'];
  const FORM =
    /no (authorityKeyId|subjectKeyId|crlDistributionPoints|keyUsage|basicConstraints|path length)|larger path|suffix|organization|without (a CRL number|the authority key id|extensions)/;

  it('relaxes nothing but the form that Intel gives its certificates', () => {
    const areas = ['pck-chain', 'collateral-chain', 'crl', 'revoked', 'trust', 'pck-lookup'];
    const cases = [...BROKEN_QUOTES, ...BROKEN_COLLATERAL].filter((each) => areas.includes(areaOf(each)));
    let relaxed = 0;
    for (const each of cases) {
      const evidence = each.make(sgx);
      const { trustAnchors, ...rest } = options(evidence);
      const anchors = trustAnchors.includes(anchor) ? [role] : trustAnchors;
      const report = verifyQuote(evidence.quote, evidence.bundle, { ...rest, trustAnchors: anchors });
      if (!report.verified) continue;
      relaxed++;
      expect(CODES_OF_FORM).toContain(each.expectedCode);
      expect(each.name).toMatch(FORM);
    }
    expect(relaxed).toBeGreaterThan(0);
  });
});
