import { describe, expect, it } from '@jest/globals';
import { SimulatedSgx } from '#simulator';
import { CollateralEpoch } from './collateral-epoch.js';
import { checkCollateralBundle, parseCollateralBundle } from './collateral-bundle.js';
import { INTEL_SGX_ROOT, trustAnchorFromPem } from './trust-anchor.js';

const AT = new Date('2026-06-01T00:00:00Z');
const sgx = SimulatedSgx.create({ seed: 'epoch', now: AT });
const anchor = trustAnchorFromPem(sgx.rootPem, { id: 'simulated', simulated: true, profile: 'intel' });
const trustAnchors = [INTEL_SGX_ROOT, anchor];
const platform = sgx.platform();
const bundle = sgx.collateral({ platform });
const open = (changes: object = {}, at: Date = AT): CollateralEpoch =>
  CollateralEpoch.open({ ...bundle, ...changes }, { at, trustAnchors });

describe('CollateralEpoch', () => {
  it('says what it is for and how long it holds', () => {
    const epoch = open();
    expect(epoch).toMatchObject({
      tee: 'sgx',
      fmspc: platform.fmspc,
      pceId: platform.pceId,
      ca: 'platform',
      trustAnchor: anchor,
    });
    expect(epoch.id).toMatch(/^[0-9a-f]{64}$/);
    expect(epoch.earliestIssue.getTime()).toBeLessThanOrEqual(AT.getTime());
    expect(epoch.earliestExpiration.getTime()).toBeGreaterThan(AT.getTime());
    expect(epoch.steps.every(({ ok }) => ok)).toBe(true);
    expect(epoch.steps.at(-1)?.name).toBe('collateral-time');
    expect(JSON.stringify(epoch.summary)).toContain(epoch.id);
  });

  it('has the id of its content', () => {
    expect(open().id).toBe(open().id);
    expect(
      CollateralEpoch.open(sgx.collateral({ platform, tcbEvaluationDataNumber: 99 }), {
        at: AT,
        trustAnchors,
      }).id,
    ).not.toBe(open().id);
  });

  it('is valid to the second at both ends, and for the grace beyond', () => {
    const { earliestExpiration: end } = open();
    const after = new Date(end.getTime() + 1000);
    expect(() => open().checkFresh(end)).not.toThrow();
    expect(() => open().checkFresh(after)).toThrow(/expired at/);
    const graced = CollateralEpoch.open(bundle, { at: AT, trustAnchors, graceSeconds: 3600 });
    expect(() => graced.checkFresh(after)).not.toThrow();
    expect(() => graced.checkFresh(new Date(end.getTime() + 3_601_000))).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/_EXPIRED$/) }),
    );
  });

  it('allows for a clock that is behind only as far as it is told', () => {
    const early = new Date(open().summary.tcbInfoIssueDate);
    early.setSeconds(early.getSeconds() - 60);
    expect(() => open({}, early)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/_NOT_YET_VALID$/) }),
    );
    expect(() =>
      CollateralEpoch.open(bundle, { at: early, trustAnchors, clockSkewSeconds: 120 }),
    ).not.toThrow();
  });

  it.each([
    ['graceSeconds', -1],
    ['graceSeconds', NaN],
    ['graceSeconds', Infinity],
    ['graceSeconds', 400 * 86_400],
    ['clockSkewSeconds', 86_401],
    ['minTcbEvaluationDataNumber', 1.5],
    ['minTcbEvaluationDataNumber', -1],
  ])('refuses %s of %p', (name, value) => {
    expect(() => CollateralEpoch.open(bundle, { at: AT, trustAnchors, [name]: value })).toThrow(
      expect.objectContaining({ code: 'OPTIONS_INVALID' }),
    );
  });

  it('needs an anchor and a time', () => {
    expect(() => CollateralEpoch.open(bundle, { at: AT, trustAnchors: [] })).toThrow(
      expect.objectContaining({ code: 'OPTIONS_INVALID' }),
    );
    expect(() => open({}, new Date(NaN))).toThrow(
      expect.objectContaining({ code: 'CLOCK_INVALID', step: 'clock' }),
    );
    expect(() => CollateralEpoch.open(bundle, { at: AT, trustAnchors: [INTEL_SGX_ROOT] })).toThrow(
      expect.objectContaining({ code: 'ROOT_NOT_TRUSTED', step: 'collateral-chains' }),
    );
  });

  it('holds a minimum against the lower of the two numbers', () => {
    const mixed = sgx.collateral({ platform, tcbEvaluationDataNumber: 20, qeEvaluationDataNumber: 19 });
    const openWith = (minimum: number) => () =>
      CollateralEpoch.open(mixed, { at: AT, trustAnchors, minTcbEvaluationDataNumber: minimum });
    expect(openWith(19)().tcbEvaluationDataNumber).toBe(19);
    expect(openWith(20)).toThrow(
      expect.objectContaining({ code: 'TCB_EVALUATION_TOO_OLD', step: 'tcb-evaluation-number' }),
    );
  });

  it.each(['root_ca_crl', 'pck_crl'])('refuses when %s is empty', (name) => {
    expect(() => open({ [name]: '' })).toThrow(expect.objectContaining({ code: 'CRL_MISSING' }));
  });
});

describe('bundles', () => {
  it('are read from JSON', () => {
    expect(parseCollateralBundle(JSON.stringify({ ...bundle, comment: 1 }))).toEqual(bundle);
  });

  it('may lack their CRLs, so that the verification says so', () => {
    const { root_ca_crl: _root, pck_crl: _pck, pck_crl_issuer_chain: _chain, ...rest } = bundle;
    expect(parseCollateralBundle(JSON.stringify(rest))).toMatchObject({
      root_ca_crl: '',
      pck_crl: '',
      pck_crl_issuer_chain: '',
    });
  });

  it.each([
    ['no JSON', 'x', 'COLLATERAL_INVALID'],
    ['a list', '[]', 'COLLATERAL_INVALID'],
    ['a missing member', JSON.stringify({ ...bundle, tcb_info: undefined }), 'COLLATERAL_INVALID'],
    ['a member that is no string', JSON.stringify({ ...bundle, pck_crl: [1] }), 'COLLATERAL_INVALID'],
    ['a member twice', JSON.stringify(bundle).replace('{', '{"tcb_info":"",'), 'COLLATERAL_INVALID'],
    [
      'a member that is too large',
      JSON.stringify({ ...bundle, tcb_info: ' '.repeat(3_000_000) }),
      'COLLATERAL_TOO_LARGE',
    ],
    ['too much', ' '.repeat(5_000_000), 'COLLATERAL_TOO_LARGE'],
  ])('refuse %s', (_name, text, code) => {
    expect(() => parseCollateralBundle(text)).toThrow(expect.objectContaining({ code }));
  });

  it('are never taken from a prototype', () => {
    expect(() => checkCollateralBundle(Object.create(bundle))).toThrow(
      expect.objectContaining({ code: 'COLLATERAL_INVALID' }),
    );
    expect(() => checkCollateralBundle(null)).toThrow(
      expect.objectContaining({ code: 'COLLATERAL_INVALID' }),
    );
  });
});
