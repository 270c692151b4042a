import type { QuoteClaims } from '#contracts';
import { parseQuote, stripOpenEnclaveHeader, TdReportBody } from '#dcap';
import { hasKss } from './held-data.js';

type Claims = Record<string, string | number | boolean | undefined>;

/** What the evidence says, in the names and JSON types of Microsoft Azure Attestation. The evidence is verified by now. */
export function evidenceClaims(claims: QuoteClaims, evidence: Uint8Array): Claims {
  return claims.tee === 'sgx' ? sgxClaims(claims) : tdxClaims(claims, evidence);
}

function sgxClaims(claims: QuoteClaims): Claims {
  return {
    'x-ms-attestation-type': 'sgx',
    'x-ms-sgx-is-debuggable': claims.debug,
    'x-ms-sgx-mrenclave': claims.mrenclave,
    'x-ms-sgx-mrsigner': claims.mrsigner,
    'x-ms-sgx-product-id': claims.isvProdId,
    'x-ms-sgx-svn': claims.isvSvn,
    'x-ms-sgx-report-data': claims.reportData,
    ...(hasKss(claims)
      ? {
          'x-ms-sgx-config-id': claims.configId,
          'x-ms-sgx-config-svn': claims.configSvn,
          'x-ms-sgx-isv-extended-product-id': claims.isvExtProdId,
          'x-ms-sgx-isv-family-id': claims.isvFamilyId,
        }
      : {}),
  };
}

/** Bits of the TD attributes (Intel TDX module base specification, TD attributes). */
const TD_BITS = { debug: 0, septve_disable: 28, protection_keys: 30, key_locker: 31, perfmon: 63 } as const;

/** EAT profile `https://aka.ms/maa-eat-profile-tdxvm`; byte strings are hex in the order of the TD report. */
function tdxClaims(claims: QuoteClaims, evidence: Uint8Array): Claims {
  const { body } = parseQuote(stripOpenEnclaveHeader(Buffer.from(evidence)));
  if (!(body instanceof TdReportBody)) throw new Error('TDX claims of evidence that is no TD report');
  const attributes = body.tdAttributes.readBigUInt64LE();
  const bits = Object.entries(TD_BITS).map(([name, bit]): [string, boolean] => [
    `tdx_td_attributes_${name}`,
    ((attributes >> BigInt(bit)) & 1n) === 1n,
  ]);
  const hex = (bytes: Buffer): string => bytes.toString('hex');
  return {
    'x-ms-attestation-type': 'tdxvm',
    eat_profile: 'https://aka.ms/maa-eat-profile-tdxvm',
    intuse: 'generic',
    dbgstat: claims.debug ? 'enabled' : 'disabled',
    attester_tcb_status: claims.tcbStatus,
    attester_tcb_date: claims.tcbDate,
    tdx_mrtd: hex(body.mrTd),
    tdx_rtmr0: hex(body.rtmr(0)),
    tdx_rtmr1: hex(body.rtmr(1)),
    tdx_rtmr2: hex(body.rtmr(2)),
    tdx_rtmr3: hex(body.rtmr(3)),
    tdx_mrseam: hex(body.mrSeam),
    tdx_mrsignerseam: hex(body.mrSignerSeam),
    tdx_mrconfigid: hex(body.mrConfigId),
    tdx_mrowner: hex(body.mrOwner),
    tdx_mrownerconfig: hex(body.mrOwnerConfig),
    tdx_report_data: hex(body.reportData),
    tdx_seam_attributes: hex(body.seamAttributes),
    tdx_seamsvn: body.teeTcbSvn.readUInt16LE(0),
    tdx_tee_tcb_svn: hex(body.teeTcbSvn),
    tdx_td_attributes: hex(body.tdAttributes),
    ...Object.fromEntries(bits),
    tdx_xfam: hex(body.xfam),
  };
}
