import type { CollateralSummary, QuoteClaims } from '#contracts';
import { describe, expect, it } from '@jest/globals';
import { evidenceClaims } from './evidence-claims.js';
import { appraisalOf } from './trust-vector.js';

const now = new Date('2026-03-01T00:00:00Z');
const shared = {
  ...{
    tcbStatus: 'UpToDate',
    advisoryIds: [],
    debug: false,
    reportData: 'ab'.repeat(64),
    fmspc: '00906ea10000',
  },
  simulated: false,
};
const sgx: QuoteClaims = {
  ...shared,
  ...{ tee: 'sgx', quoteVersion: 3, mrenclave: '11'.repeat(32), mrsigner: '22'.repeat(32) },
  ...{ isvProdId: 7, isvSvn: 513, attributes: '0500000000000000e700000000000000' },
};
const tdx: QuoteClaims = {
  ...shared,
  ...{ tee: 'tdx', quoteVersion: 4, mrtd: '33'.repeat(48) },
  rtmrs: ['a0', 'a1', 'a2', 'a3'].map((byte) => byte.repeat(48)),
};
const collateral: CollateralSummary = {
  ...{ id: '44'.repeat(32), tcbEvaluationDataNumber: 17, tcbInfoIssueDate: '2026-02-01T00:00:00Z' },
  ...{ earliestIssue: '2026-02-01T00:00:00Z', earliestExpiration: '2026-03-03T00:00:00Z' },
};

describe('what a token says of evidence', () => {
  it('about an enclave: hex as Trustee writes it, and numbers that can be compared', () => {
    expect(evidenceClaims(sgx, collateral, now)).toEqual({
      header: { version: '0300' },
      body: {
        mr_enclave: '11'.repeat(32),
        mr_signer: '22'.repeat(32),
        isv_prod_id: '0700',
        isv_svn: '0102',
        'attributes.flags': '0500000000000000',
        'attributes.xfrm': 'e700000000000000',
        report_data: 'ab'.repeat(64),
      },
      ...{ isv_prod_id: 7, isv_svn: 513, debug: false, init_data: undefined },
      ...{ report_data: 'ab'.repeat(64), tcb_status: 'UpToDate', advisory_ids: [], fmspc: '00906ea10000' },
      ...{ simulated: false, tcb_eval_num: 17, collateral_expiration_status: '0' },
      earliest_issue_date: '2026-02-01T00:00:00Z',
      earliest_expiration_date: '2026-03-03T00:00:00Z',
    });
  });

  it('about a trust domain', () => {
    expect(evidenceClaims(tdx, undefined, now)).toMatchObject({
      quote: {
        header: { version: '0400', tee_type: '81000000' },
        body: { mr_td: '33'.repeat(48), rtmr_1: 'a1'.repeat(48), rtmr_3: 'a3'.repeat(48) },
      },
      td_attributes: { debug: false },
    });
  });

  it('that rests on collateral in its grace says so', () => {
    const late = new Date('2026-03-04T00:00:00Z');
    expect(evidenceClaims(sgx, collateral, late)).toMatchObject({ collateral_expiration_status: '1' });
  });

  it.each<readonly [string, Partial<QuoteClaims> | undefined, string, object]>([
    ['a sound enclave', {}, 'affirming', { hardware: 2, configuration: 2, executables: 3 }],
    ['hardening needed', { tcbStatus: 'SWHardeningNeeded' }, 'affirming', { hardware: 2 }],
    ['an outdated platform', { tcbStatus: 'OutOfDate' }, 'warning', { hardware: 32 }],
    ['a status that is not known', { tcbStatus: 'Fine' }, 'warning', { hardware: 32 }],
    ['a debug enclave', { debug: true }, 'warning', { configuration: 32 }],
    ['no evidence', undefined, 'none', { hardware: 0, executables: 0, configuration: 0 }],
  ])('appraises %s', (_what, change, status, vector) => {
    const appraisal = appraisalOf(change === undefined ? undefined : { ...sgx, ...change });
    expect(appraisal).toMatchObject({ status, vector });
  });
});
