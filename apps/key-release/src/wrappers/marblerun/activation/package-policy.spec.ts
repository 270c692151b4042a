import type { AttestedClaims } from '#policy';
import { SimulatedSgx } from '#simulator';
import { describe, expect, it } from '@jest/globals';
import type { PackageProperties } from '../interface.js';
import { judgeInfrastructure, platformOf } from './infrastructure-policy.js';
import { judgePackage } from './package-policy.js';

const ENCLAVE = 'aa'.repeat(32);
const SIGNER = 'bb'.repeat(32);
const CLAIMS: AttestedClaims = {
  tee: 'sgx',
  mrenclave: ENCLAVE,
  mrsigner: SIGNER,
  isvProdId: 7,
  isvSvn: 3,
  debug: false,
  tcbStatus: 'SWHardeningNeeded',
  advisoryIds: ['INTEL-SA-00334', 'INTEL-SA-00615'],
  simulated: false,
  reportData: '00'.repeat(64),
};
const NOTHING: PackageProperties = {
  debug: false,
  uniqueId: undefined,
  signerId: undefined,
  productId: undefined,
  securityVersion: undefined,
  acceptedTcbStatuses: [],
  acceptedAdvisories: [],
};
const SIGNED: PackageProperties = { ...NOTHING, signerId: SIGNER, productId: 7n, securityVersion: 3 };
const failed = (expected: Partial<PackageProperties>, claims: Partial<AttestedClaims> = {}) =>
  judgePackage({ ...SIGNED, ...expected }, { ...CLAIMS, ...claims }).failed;

describe('a package of a MarbleRun manifest', () => {
  it('fits by signer, product and minimal version, or by measurement', () => {
    const { failed: code, conditions } = judgePackage(SIGNED, CLAIMS);
    expect(code).toBeUndefined();
    expect(conditions.map(({ name }) => name)).toEqual([
      'package.tee',
      'package.Debug',
      'package.SignerID',
      'package.ProductID',
      'package.SecurityVersion',
      'package.AcceptedTCBStatuses',
    ]);
    expect(failed({}, { isvSvn: 9 })).toBeUndefined();
    expect(judgePackage({ ...NOTHING, uniqueId: ENCLAVE }, CLAIMS).failed).toBeUndefined();
  });

  it.each<[string, Partial<PackageProperties>, Partial<AttestedClaims>]>([
    ['MEASUREMENT_NOT_ALLOWED', {}, { mrsigner: ENCLAVE }],
    ['MEASUREMENT_NOT_ALLOWED', { uniqueId: SIGNER }, {}],
    ['MEASUREMENT_NOT_ALLOWED', {}, { mrsigner: undefined }],
    ['MEASUREMENT_NOT_ALLOWED', {}, { tee: 'tdx' }],
    ['ISV_PROD_ID_NOT_ALLOWED', {}, { isvProdId: 8 }],
    ['ISV_PROD_ID_NOT_ALLOWED', { productId: 2n ** 64n - 1n }, {}],
    ['ISV_SVN_TOO_LOW', {}, { isvSvn: 2 }],
    ['ISV_SVN_TOO_LOW', {}, { isvSvn: undefined }],
    ['DEBUG_ENCLAVE', {}, { debug: true }],
    ['DEBUG_ENCLAVE', { debug: true }, {}],
    ['TCB_STATUS_NOT_ACCEPTED', {}, { tcbStatus: 'OutOfDate' }],
    ['TCB_STATUS_NOT_ACCEPTED', { acceptedTcbStatuses: ['ConfigurationNeeded'] }, {}],
    ['ADVISORY_NOT_ALLOWED', { acceptedAdvisories: ['INTEL-SA-00334'] }, {}],
  ])('%s: %j against %j', (code, expected, claims) => {
    expect(failed(expected, claims)).toBe(code);
  });

  it('accepts UpToDate always, a custom list instead of the default, and advisories in any case of letters', () => {
    expect(failed({ acceptedTcbStatuses: ['OutOfDate'] }, { tcbStatus: 'UpToDate' })).toBeUndefined();
    expect(failed({ acceptedTcbStatuses: ['OutOfDate'] }, { tcbStatus: 'OutOfDate' })).toBeUndefined();
    expect(failed({ acceptedAdvisories: ['intel-sa-00334', 'INTEL-SA-00615'] })).toBeUndefined();
    const outOfDate = { acceptedTcbStatuses: ['OutOfDate'] as const, acceptedAdvisories: ['INTEL-SA-1'] };
    expect(failed(outOfDate, { tcbStatus: 'OutOfDate' })).toBeUndefined();
  });

  it('of debug without identity accepts any debug enclave, and no other', () => {
    const any = { ...NOTHING, debug: true };
    expect(judgePackage(any, { ...CLAIMS, debug: true }).failed).toBeUndefined();
    expect(judgePackage(any, CLAIMS).failed).toBe('DEBUG_ENCLAVE');
  });
});

describe('the Infrastructures of a MarbleRun manifest', () => {
  const quote = SimulatedSgx.create()
    .platform({ name: 'a' })
    .quote({ reportData: Buffer.alloc(64) });
  const platform = platformOf(quote)!;
  const any = { cpuSvn: undefined, qeSvn: undefined, pceSvn: undefined, rootCa: undefined };
  const judge = (...given: (typeof any | object)[]) =>
    judgeInfrastructure(new Map(given.map((one, at) => [`i${at}`, { ...any, ...one }])), platform);

  it('are compared with what the quote itself says', () => {
    expect(platform.tcbComponents).toHaveLength(16);
    expect(platform.rootCa[0]).toBe(0x30);
    expect(platformOf(Buffer.alloc(2_000))).toBeUndefined();
  });

  it('name one platform that fits, or the marble is refused', () => {
    const { tcbComponents, qeSvn, pceSvn, rootCa } = platform;
    expect(judge()).toBeUndefined();
    expect(judge({ cpuSvn: tcbComponents, qeSvn, pceSvn, rootCa })).toMatchObject({ ok: true, actual: 'i0' });
    expect(judge({ pceSvn: pceSvn + 1 }, {})).toMatchObject({ ok: true, actual: 'i1' });
    const pem = `-----BEGIN CERTIFICATE-----\n${rootCa.toString('base64').replace(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`;
    expect(judge({ rootCa: Buffer.from(pem) })).toMatchObject({ ok: true });
    const above = Buffer.from(tcbComponents);
    above[15] = 255;
    for (const wrong of [
      { cpuSvn: above },
      { qeSvn: qeSvn + 1 },
      { pceSvn: pceSvn + 1 },
      { rootCa: Buffer.of(3, 3, 3) },
    ])
      expect(judge(wrong)).toMatchObject({ ok: false });
    expect(judgeInfrastructure(new Map([['a', any]]), undefined)).toMatchObject({ ok: false, actual: null });
  });
});
