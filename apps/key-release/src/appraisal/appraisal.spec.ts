import { describe, expect, it } from '@jest/globals';
import { appraisal, collateral, verdict } from './appraisal-fixtures.js';
import { appraisalOf, mergeUses, sameFinding, supersedes } from './appraisal.js';

const DAY = 86_400_000;

describe('appraisalOf', () => {
  it('takes from a verdict what is the platform’s', () => {
    const given = verdict({ iat: 1_795_435_200 }, 'OutOfDate');
    expect(appraisalOf(given)).toEqual({
      at: '2026-11-23T12:00:00.000Z',
      tcbStatus: 'OutOfDate',
      advisoryIds: [],
      collateral: collateral(),
    });
  });

  it('takes evidence that is refused now for a revoked platform', () => {
    const error = { code: 'PCK_REVOKED', message: 'revoked', step: 'pck-revocation' };
    const { claims: _claims, ...refused } = verdict({ verified: false, error });
    expect(appraisalOf(refused)).toMatchObject({ tcbStatus: 'Revoked', refusal: 'PCK_REVOKED' });
  });

  it.each([
    ['expired collateral', { error: { code: 'TCB_INFO_EXPIRED', message: '', step: 'collateral-time' } }],
    [
      'a floor of the verifier',
      { error: { code: 'TCB_EVALUATION_TOO_OLD', message: '', step: 'tcb-evaluation-number' } },
    ],
    ['a malformed quote', { error: { code: 'QUOTE_MALFORMED', message: '', step: 'quote-format' } }],
    ['a refusal without a step', { error: { code: 'INTERNAL_ERROR', message: '' } }],
  ])('learns nothing from %s', (_name, change) => {
    const { claims: _claims, ...refused } = verdict({ verified: false, ...change });
    expect(appraisalOf(refused)).toBeUndefined();
  });

  it('learns nothing from a verdict that names no collateral', () => {
    const { collateral: _collateral, ...bare } = verdict();
    expect(appraisalOf(bare)).toBeUndefined();
  });
});

describe('supersedes', () => {
  const known = appraisal();
  const at = (seconds: number): string => new Date(Date.parse(known.at) + seconds * 1_000).toISOString();
  it.each([
    ['a later verdict by the same collateral', { at: at(1) }, true],
    ['the same verdict', {}, false],
    ['an earlier verdict by the same collateral', { at: at(-1) }, false],
    ['newer collateral', { collateral: collateral({ tcbEvaluationDataNumber: 21 }) }, true],
    [
      'newer collateral, earlier',
      { at: at(-60), collateral: collateral({ tcbEvaluationDataNumber: 21 }) },
      true,
    ],
    ['a newer QE identity', { collateral: collateral({ qeEvaluationDataNumber: 21 }) }, true],
    ['a later issue', { collateral: collateral({ tcbInfoIssueDate: '2026-11-02T00:00:00Z' }) }, true],
    [
      'older collateral of a verifier that is behind',
      { at: at(60), collateral: collateral({ tcbEvaluationDataNumber: 19 }) },
      false,
    ],
    [
      'older collateral for more than a day',
      { at: at(86_401), collateral: collateral({ tcbEvaluationDataNumber: 19 }) },
      true,
    ],
    [
      'newer collateral of long ago',
      { at: at(-86_401), collateral: collateral({ tcbEvaluationDataNumber: 21 }) },
      false,
    ],
  ])('%s: %s', (_name, change, expected) => {
    const next = appraisal(change);
    expect(supersedes(next, known, DAY)).toBe(expected);
    // Two replicas that hear of both in different order end with the same.
    if (expected) expect(supersedes(known, next, DAY)).toBe(false);
  });
});

describe('sameFinding', () => {
  it.each([
    [{ collateral: collateral({ tcbEvaluationDataNumber: 21 }), at: '2026-11-24T00:00:00.000Z' }, true],
    [{ tcbStatus: 'OutOfDate' }, false],
    [{ advisoryIds: ['INTEL-SA-00001'] }, false],
    [{ tcbDate: '2020-01-01T00:00:00Z' }, false],
  ])('%p: %s', (change, same) => {
    expect(sameFinding(appraisal(), appraisal(change))).toBe(same);
  });
});

describe('mergeUses', () => {
  const use = (workload: string, until: string, revokedAt?: string) => ({
    tenant: 'default',
    workload,
    until,
    ...(revokedAt === undefined ? {} : { revokedAt }),
  });

  it('keeps the later end and never loses a revocation, in whatever order', () => {
    const a = [use('w', '2026-11-24T00:00:00Z', '2026-11-23T00:00:00Z'), use('x', '2026-11-24T00:00:00Z')];
    const b = [use('w', '2026-11-25T00:00:00Z')];
    const merged = [
      use('w', '2026-11-25T00:00:00Z', '2026-11-23T00:00:00Z'),
      use('x', '2026-11-24T00:00:00Z'),
    ];
    expect(mergeUses(a, b)).toEqual(merged);
    expect(mergeUses(b, a)).toEqual(merged);
    const later = [use('w', '2026-11-24T00:00:00Z', '2026-11-23T10:00:00Z')];
    expect(mergeUses(mergeUses(a, later), a)[0]).toMatchObject({ revokedAt: '2026-11-23T10:00:00Z' });
  });

  it('tells tenants apart', () => {
    const other = { ...use('w', '2026-11-24T00:00:00Z'), tenant: 'other' };
    expect(mergeUses([use('w', '2026-11-24T00:00:00Z', '2026-11-23T00:00:00Z')], [other])).toHaveLength(2);
  });
});
