import { VerdictClaims, type VerifyReply } from '#contracts';
import { CollateralEpoch, DcapError, INTEL_SGX_ROOT, trustAnchorFromPem } from '#dcap';
import { LocalSigner } from '#pki';
import {
  ACCEPTED_VARIANTS,
  BROKEN_COLLATERAL,
  BROKEN_QUOTES,
  SimulatedSgx,
  type BrokenCase,
  type Evidence,
} from '#simulator';
import { describe, expect, it } from '@jest/globals';
import { VerdictSigner } from '../verdict/verdict-signer.js';
import type { Findings } from './attempt.js';
import { VerdictMaker } from './verdict-maker.js';

const sgx = SimulatedSgx.create({ seed: 'negative corpus', now: new Date('2026-03-01T12:00:00Z') });
const simulated = trustAnchorFromPem(sgx.rootPem, { id: 'sim', simulated: true, profile: 'intel' });
const signer = new VerdictSigner(LocalSigner.generate('ES256'));

/** What the service does around the maker; the code is that of the verdict, or of collateral that was not adopted. */
function outcome({ quote, bundle, at, settings = {} }: Evidence): string {
  const { withoutSimulatedRoot, pckCertificateChain, ...epochSettings } = settings;
  const anchors = withoutSimulatedRoot === true ? [INTEL_SGX_ROOT] : [INTEL_SGX_ROOT, simulated];
  const maker = new VerdictMaker({ signer, anchors, clock: () => at });
  const body = Buffer.from(
    JSON.stringify({
      v: 1,
      requestId: 'request-0123456789',
      tenant: 'default',
      evidence: quote.toString('base64url'),
    }),
  );
  let findings: Findings = {};
  for (let round = 0; round < 3; round++) {
    const attempt = maker.attempt(body, findings);
    if (attempt.kind === 'error') return attempt.code;
    if (attempt.kind === 'reply') {
      const { verdict } = JSON.parse(attempt.body) as VerifyReply;
      const payload = Buffer.from(verdict.split('.')[1] as string, 'base64url');
      const claims = VerdictClaims.parse(JSON.parse(payload.toString()));
      expect(claims.verified).toBe(attempt.code === 'VERIFIED');
      if (!claims.verified && claims.error?.code !== 'TCB_REVOKED') expect(claims.claims).toBeUndefined();
      return attempt.code;
    }
    if (attempt.kind === 'needs-pck') {
      if (pckCertificateChain === undefined) return 'PCK_LOOKUP_REQUIRED';
      findings = { pckChain: pckCertificateChain };
      continue;
    }
    try {
      const trustAnchors = anchors.filter(({ id }) => id === attempt.key.anchor);
      maker.adopt(attempt.key, CollateralEpoch.open(bundle, { at, trustAnchors, ...epochSettings }));
    } catch (error) {
      if (error instanceof DcapError) return error.code;
      throw error;
    }
  }
  throw new Error('no outcome');
}

/** What the service refuses before libs/dcap sees it. */
const EARLIER: Readonly<Record<string, string>> = {
  'quote-format/cut to 0 bytes': 'EVIDENCE_EMPTY',
  'quote-format/one MiB of padding': 'REQUEST_TOO_LARGE',
  'clock/no time': 'INTERNAL',
};
const faultOf = ({ name }: BrokenCase): string => name.slice(0, name.lastIndexOf('/'));
const expectedOf = (each: BrokenCase): string => EARLIER[faultOf(each)] ?? each.expectedCode;

/** Each fault once, at one place of many: libs/dcap's own tests have it at every place and for every kind of quote. */
function oncePerFault(cases: readonly BrokenCase[]): [string, BrokenCase][] {
  const faults = new Map<string, BrokenCase>();
  for (const each of cases) {
    const fault = faultOf(each).replaceAll(/\d+/g, '#');
    // The service looks no chain up for a quote that carries one.
    if (!each.name.startsWith('pck-lookup/type 5') && !faults.has(fault)) faults.set(fault, each);
  }
  return [...faults.values()].map((each) => [each.name, each]);
}

describe('the negative corpus through the service', () => {
  it.each(oncePerFault(BROKEN_QUOTES))('refuses the quote: %s', (_name, each) => {
    expect(outcome(each.make(sgx))).toBe(expectedOf(each));
  });

  // What opens collateral is libs/dcap alone; here it is to be seen that its refusals end in no verdict for the evidence.
  const sample = oncePerFault(BROKEN_COLLATERAL).filter((_each, i) => i % 10 === 0);
  it.each(sample)('refuses the collateral: %s', (_name, each) => {
    expect(outcome(each.make(sgx))).toBe(expectedOf(each));
  });

  it.each(ACCEPTED_VARIANTS.map((each) => [each.name, each] as const))('accepts %s', (_name, each) => {
    expect(outcome(each.make(sgx))).toBe('VERIFIED');
  });
});
