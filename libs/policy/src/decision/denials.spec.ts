import { describe, expect, it } from '@jest/globals';
import { decide } from '../index.js';
import type { AttestedClaims } from '../index.js';
import { code, compile, E, one, request, S } from './decision-fixtures.js';

describe('each condition', () => {
  const configId = '34'.repeat(64);
  const id16 = '56'.repeat(16);
  const sha = '78'.repeat(32);
  const cases: {
    title: string;
    lines?: string;
    identity?: string;
    bad: Partial<AttestedClaims>;
    good?: Partial<AttestedClaims>;
    denial: string;
    condition: string;
  }[] = [
    {
      title: 'signer',
      identity: `{ mrsigner: [${S}], isvprodid: 7, isvsvn: 3 }`,
      bad: { mrsigner: E },
      denial: 'MEASUREMENT_NOT_ALLOWED',
      condition: 'identity.mrsigner',
    },
    {
      title: 'signer beside MRENCLAVE',
      identity: `{ mrenclave: [${E}], mrsigner: [${S}] }`,
      bad: { mrsigner: E },
      denial: 'MEASUREMENT_NOT_ALLOWED',
      condition: 'identity.mrsigner',
    },
    {
      title: 'a claim of the enclave itself',
      identity: `{ mrenclave: [${E}], claims: { region: ["6575", "7573"] } }`,
      bad: { customClaims: { region: '636e', Region: '6575' } },
      good: { customClaims: { region: '7573', other: '00' } },
      denial: 'CONFIGURATION_NOT_ALLOWED',
      condition: 'identity.claims.region',
    },
    {
      title: 'a claim that is absent',
      identity: `{ mrenclave: [${E}], claims: { toString: ["6575"] } }`,
      bad: {},
      good: { customClaims: { toString: '6575' } as never },
      denial: 'CONFIGURATION_NOT_ALLOWED',
      condition: 'identity.claims.toString',
    },
    {
      title: 'product',
      identity: `{ mrsigner: [${S}], isvprodid: [7, 8], isvsvn: 3 }`,
      bad: { isvProdId: 9 },
      denial: 'ISV_PROD_ID_NOT_ALLOWED',
      condition: 'identity.isvprodid',
    },
    {
      title: 'a security version above the range',
      identity: `{ mrenclave: [${E}], isvsvn: 2, isvsvnMax: 3 }`,
      bad: { isvSvn: 4 },
      good: { isvSvn: 3 },
      denial: 'ISV_SVN_TOO_HIGH',
      condition: 'identity.isvsvnMax',
    },
    {
      title: 'an unknown security version, of which there is a highest',
      identity: `{ mrenclave: [${E}], isvsvnMax: 3 }`,
      bad: { isvSvn: undefined },
      denial: 'ISV_SVN_TOO_HIGH',
      condition: 'identity.isvsvnMax',
    },
    {
      title: 'the quoting enclave of another machine',
      lines: `platform: { qeIds: ["${'56'.repeat(16)}"] }`,
      bad: { qeId: '57'.repeat(16) },
      good: { qeId: '56'.repeat(16) },
      denial: 'PLATFORM_NOT_ALLOWED',
      condition: 'platform.qeIds',
    },
    {
      title: 'unknown product',
      identity: `{ mrsigner: [${S}], isvprodid: 7, isvsvn: 3 }`,
      bad: { isvProdId: undefined },
      denial: 'ISV_PROD_ID_NOT_ALLOWED',
      condition: 'identity.isvprodid',
    },
    {
      title: 'SVN',
      identity: `{ mrsigner: [${S}], isvprodid: 7, isvsvn: 3 }`,
      bad: { isvSvn: 2 },
      denial: 'ISV_SVN_TOO_LOW',
      condition: 'identity.isvsvn',
    },
    {
      title: 'unknown SVN',
      identity: `{ mrenclave: [${E}], isvsvn: 0 }`,
      bad: { isvSvn: undefined },
      denial: 'ISV_SVN_TOO_LOW',
      condition: 'identity.isvsvn',
    },
    {
      title: 'CONFIGID',
      identity: `{ mrenclave: [${E}], configid: [${configId}] }`,
      good: { configId },
      bad: { configId: '00'.repeat(64) },
      denial: 'CONFIGURATION_NOT_ALLOWED',
      condition: 'identity.configid',
    },
    {
      title: 'CONFIGSVN',
      identity: `{ mrenclave: [${E}], configsvn: 2 }`,
      good: { configSvn: 2 },
      bad: { configSvn: 1 },
      denial: 'ISV_SVN_TOO_LOW',
      condition: 'identity.configsvn',
    },
    {
      title: 'extended product',
      identity: `{ mrenclave: [${E}], isvextprodid: [${id16}] }`,
      good: { isvExtProdId: id16 },
      bad: {},
      denial: 'ISV_PROD_ID_NOT_ALLOWED',
      condition: 'identity.isvextprodid',
    },
    {
      title: 'family',
      identity: `{ mrenclave: [${E}], isvfamilyid: [${id16}] }`,
      good: { isvFamilyId: id16 },
      bad: { isvFamilyId: '00'.repeat(16) },
      denial: 'ISV_PROD_ID_NOT_ALLOWED',
      condition: 'identity.isvfamilyid',
    },
    { title: 'debug', bad: { debug: true }, denial: 'DEBUG_ENCLAVE', condition: 'debug' },
    {
      title: 'status',
      bad: { tcbStatus: 'OutOfDate' },
      good: { tcbStatus: 'SWHardeningNeeded' },
      denial: 'TCB_STATUS_NOT_ACCEPTED',
      condition: 'tcb.status',
    },
    {
      title: 'status in other letters',
      bad: { tcbStatus: 'uptodate' },
      denial: 'TCB_STATUS_NOT_ACCEPTED',
      condition: 'tcb.status',
    },
    {
      title: 'advisory outside the allow-list',
      lines: 'tcb: { advisories: { allow: [INTEL-SA-00615] } }',
      good: { tcbStatus: 'SWHardeningNeeded', advisoryIds: ['INTEL-SA-00615'] },
      bad: { tcbStatus: 'SWHardeningNeeded', advisoryIds: ['INTEL-SA-00615', 'INTEL-SA-00657'] },
      denial: 'ADVISORY_NOT_ALLOWED',
      condition: 'tcb.advisories.allow',
    },
    {
      title: 'any advisory with an empty allow-list',
      lines: 'tcb: { advisories: { allow: [] } }',
      bad: { advisoryIds: ['INTEL-SA-00615'] },
      denial: 'ADVISORY_NOT_ALLOWED',
      condition: 'tcb.advisories.allow',
    },
    {
      title: 'rejected advisory',
      lines: 'tcb: { advisories: { reject: [INTEL-SA-00615] } }',
      good: { advisoryIds: ['INTEL-SA-00657'] },
      bad: { advisoryIds: ['intel-sa-00615'] },
      denial: 'ADVISORY_NOT_ALLOWED',
      condition: 'tcb.advisories.reject',
    },
    {
      title: 'evaluation number',
      lines: 'tcb: { minTcbEvaluationDataNumber: 17 }',
      good: { tcbEvaluationDataNumber: 17 },
      bad: { tcbEvaluationDataNumber: 16 },
      denial: 'TCB_EVALUATION_TOO_OLD',
      condition: 'tcb.minTcbEvaluationDataNumber',
    },
    {
      title: 'unknown evaluation number',
      lines: 'tcb: { minTcbEvaluationDataNumber: 1 }',
      good: { tcbEvaluationDataNumber: 17 },
      bad: {},
      denial: 'TCB_EVALUATION_TOO_OLD',
      condition: 'tcb.minTcbEvaluationDataNumber',
    },
    {
      title: 'TCB date',
      lines: 'tcb: { minTcbDate: 2024-03-13T00:00:00Z }',
      good: { tcbDate: '2024-03-13T00:00:00Z' },
      bad: { tcbDate: '2023-08-09T00:00:00Z' },
      denial: 'TCB_DATE_TOO_OLD',
      condition: 'tcb.minTcbDate',
    },
    {
      title: 'unreadable TCB date',
      lines: 'tcb: { minTcbDate: 2024-03-13T00:00:00Z }',
      good: { tcbDate: '2024-03-13T00:00:00Z' },
      bad: { tcbDate: 'soon' },
      denial: 'TCB_DATE_TOO_OLD',
      condition: 'tcb.minTcbDate',
    },
    {
      title: 'FMSPC',
      lines: 'platform: { fmspc: [00606a000000] }',
      bad: { fmspc: '00906ed50000' },
      denial: 'PLATFORM_NOT_ALLOWED',
      condition: 'platform.fmspc',
    },
    {
      title: 'platform instance',
      lines: `platform: { instanceIds: [${id16}] }`,
      good: { platformInstanceId: id16 },
      bad: {},
      denial: 'PLATFORM_NOT_ALLOWED',
      condition: 'platform.instanceIds',
    },
    {
      title: 'PPID',
      lines: `platform: { ppids: [${sha}] }`,
      good: { ppidSha256: sha },
      bad: { ppidSha256: E },
      denial: 'PLATFORM_NOT_ALLOWED',
      condition: 'platform.ppids',
    },
    {
      title: 'SGX type',
      lines: 'platform: { sgxTypes: [ScalableWithIntegrity] }',
      good: { sgxType: 'ScalableWithIntegrity' },
      bad: { sgxType: 'Scalable' },
      denial: 'PLATFORM_NOT_ALLOWED',
      condition: 'platform.sgxTypes',
    },
    {
      title: 'dynamic platform',
      lines: 'platform: { dynamicPlatform: deny }',
      good: { dynamicPlatform: false },
      bad: { dynamicPlatform: true },
      denial: 'PLATFORM_NOT_ALLOWED',
      condition: 'platform.dynamicPlatform',
    },
    {
      title: 'cached keys unknown',
      lines: 'platform: { cachedKeys: deny }',
      good: { cachedKeys: false },
      bad: {},
      denial: 'PLATFORM_NOT_ALLOWED',
      condition: 'platform.cachedKeys',
    },
    {
      title: 'hyper-threading',
      lines: 'platform: { smt: deny }',
      good: { smtEnabled: false },
      bad: { smtEnabled: true },
      denial: 'PLATFORM_NOT_ALLOWED',
      condition: 'platform.smt',
    },
  ];
  it.each(cases)(
    'denies by $title: $denial',
    ({ lines = 'debug: false', identity, good = {}, bad, denial, condition: name }) => {
      const compiled = compile(one(lines, identity));
      expect(code(decide(compiled, request(good)))).toBe('granted');
      for (const workloadHint of [undefined, 'w']) {
        const decision = decide(
          compiled,
          request(
            { ...good, ...(Object.keys(bad).length === 0 ? undefinedOf(good) : bad) },
            { workloadHint },
          ),
        );
        // Without a hint an enclave that no measurement leads to has no workload and thus no condition of one.
        if (
          workloadHint === undefined &&
          code(decision) === 'MEASUREMENT_NOT_ALLOWED' &&
          decision.outcome === 'denied' &&
          decision.workload === undefined
        )
          continue;
        expect(code(decision)).toBe(denial);
        expect(decision.conditions.filter(({ ok }) => !ok).map((failed) => failed.name)).toEqual([name]);
      }
    },
  );
  const undefinedOf = (claims: object) =>
    Object.fromEntries(Object.keys(claims).map((key) => [key, undefined]));
});
