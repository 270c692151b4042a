import { describe, expect, it } from '@jest/globals';
import { appraisePlatform, decide, type PlatformState } from '../index.js';
import { compile, one, request, simple } from './decision-fixtures.js';

const state = (change: Partial<PlatformState> = {}): PlatformState => ({
  tcbStatus: 'UpToDate',
  advisoryIds: [],
  tcbDate: '2026-01-01T00:00:00Z',
  tcbEvaluationDataNumber: 17,
  ...change,
});

describe('appraisePlatform', () => {
  const strict = compile(
    one(
      'tcb: { accept: [UpToDate, OutOfDate], advisories: { reject: [INTEL-SA-00615] }, minTcbEvaluationDataNumber: 17, minTcbDate: "2025-01-01T00:00:00Z" }',
    ),
  );

  it.each([
    [{ tcbStatus: 'ConfigurationNeeded' }, 'TCB_STATUS_NOT_ACCEPTED'],
    [{ tcbStatus: 'Revoked' }, 'TCB_STATUS_NOT_ACCEPTED'],
    [{ advisoryIds: ['INTEL-SA-00615'] }, 'ADVISORY_NOT_ALLOWED'],
    [{ tcbEvaluationDataNumber: 16 }, 'TCB_EVALUATION_TOO_OLD'],
    [{ tcbDate: '2024-12-31T00:00:00Z' }, 'TCB_DATE_TOO_OLD'],
    [{ tcbStatus: 'OutOfDate' }, 'granted'],
    [{}, 'granted'],
  ])('%p: %s, and decide() says the same', (change, code) => {
    const appraisal = appraisePlatform(strict, 'w', state(change));
    expect(appraisal).toMatchObject(
      code === 'granted' ? { accepted: true } : { accepted: false, code, conditions: [{ ok: false }] },
    );
    const decision = decide(strict, request(state(change)));
    expect(decision.outcome === 'denied' ? decision.code : 'granted').toBe(code);
  });

  it('applies the default of the tcb section, and looks at nothing that is the enclave’s', () => {
    const workload = compile(`${simple.slice(0, -2)}, validity: { notAfter: "2000-01-01T00:00:00Z" } }`);
    expect(appraisePlatform(workload, 'w', state({ tcbStatus: 'SWHardeningNeeded' }))).toEqual({
      accepted: true,
    });
    expect(appraisePlatform(workload, 'w', state({ tcbStatus: 'OutOfDate' }))).toMatchObject({
      accepted: false,
    });
  });

  it('says nothing about a workload that the manifest does not have', () => {
    expect(appraisePlatform(strict, 'other', state())).toBeUndefined();
  });

  it('grants tell how long a session lives and what becomes of it', () => {
    const granted = decide(compile(one('session: { lifetime: 7d, onDegraded: revoke }')), request());
    expect(granted).toMatchObject({
      outcome: 'granted',
      grants: { sessionLifetimeSeconds: 604_800, onDegraded: 'revoke' },
    });
  });
});
