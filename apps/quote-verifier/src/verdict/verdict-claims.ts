import { VERDICT_ISSUER, type QuoteClaims, type VerdictClaims, type VerifyRequest } from '#contracts';
import type { VerificationReport } from '#dcap';

/** A verdict answers one request; it is not a credential. */
const LIFETIME_SECONDS = 60;
const MAX_MESSAGE_CHARS = 300;

export interface Evidence {
  readonly sha256: string;
  readonly format: string;
}

export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly step?: string | undefined;
}

type Header = Pick<VerdictClaims, 'iss' | 'iat' | 'exp' | 'rid' | 'tenant'>;

function headerOf(request: VerifyRequest, at: Date): Header {
  const iat = Math.floor(at.getTime() / 1_000);
  return {
    iss: VERDICT_ISSUER,
    iat,
    exp: iat + LIFETIME_SECONDS,
    rid: request.requestId,
    tenant: request.tenant,
  };
}

/** The verdict over evidence that could not be judged to its end: not a quote, no acceptable collateral. */
export function refusedVerdict(
  request: VerifyRequest,
  evidence: Evidence,
  refusal: Refusal,
  at: Date,
): VerdictClaims {
  return { ...headerOf(request, at), verified: false, evidence: { ...evidence }, error: errorOf(refusal) };
}

/** The verdict that a report gives. Members that a report does not have are not there. */
export function verdictOf(
  request: VerifyRequest,
  evidence: Evidence,
  report: VerificationReport,
  at: Date,
  appraisalKey?: string,
): VerdictClaims {
  const claims = quoteClaims(report);
  const failed = report.error;
  // Collateral has a root as well; what counts is that the evidence was proven to end in it.
  const chained = report.steps.some(({ name, ok }) => name === 'pck-certificate' && ok);
  return {
    ...headerOf(request, at),
    verified: report.verified,
    evidence: {
      ...evidence,
      ...(report.signedRegionSha256 === undefined ? {} : { signedRegionSha256: report.signedRegionSha256 }),
    },
    ...(claims === undefined ? {} : { claims }),
    ...(report.collateral === undefined ? {} : { collateral: report.collateral }),
    ...(chained ? { trustRoot: report.trustRoot } : {}),
    ...(appraisalKey === undefined ? {} : { appraisalKey }),
    ...(failed === undefined
      ? {}
      : { error: errorOf({ ...failed, step: report.steps.find(({ ok }) => !ok)?.name }) }),
  };
}

function errorOf({ code, message, step }: Refusal): NonNullable<VerdictClaims['error']> {
  return { code, message: message.slice(0, MAX_MESSAGE_CHARS), ...(step === undefined ? {} : { step }) };
}

/**
 * What the evidence says, only once all of it is authenticated: then, and only then, a report has a TCB status. A refusal for a
 * bad signature claims nothing, so that nobody can put words into a signed verdict.
 */
function quoteClaims(report: VerificationReport): QuoteClaims | undefined {
  const { tee, quoteVersion, tcbStatus, reportData, fmspc, debug } = report;
  if (
    tee === undefined ||
    quoteVersion === undefined ||
    tcbStatus === undefined ||
    reportData === undefined ||
    fmspc === undefined ||
    debug === undefined
  )
    return undefined;
  const { rtmr0, rtmr1, rtmr2, rtmr3 } = report;
  const rtmrs =
    rtmr0 === undefined || rtmr1 === undefined || rtmr2 === undefined || rtmr3 === undefined
      ? undefined
      : [rtmr0, rtmr1, rtmr2, rtmr3];
  // JSON leaves undefined members out.
  const claims: { [Name in keyof QuoteClaims]: QuoteClaims[Name] | undefined } = {
    tee,
    quoteVersion,
    tcbStatus,
    advisoryIds: [...report.advisoryIds],
    tcbDate: report.tcbDate,
    platformStatus: report.platformStatus,
    qeStatus: report.qeStatus,
    moduleStatus: report.moduleStatus,
    mrenclave: report.mrenclave,
    mrsigner: report.mrsigner,
    isvProdId: report.isvProdId,
    isvSvn: report.isvSvn,
    isvExtProdId: report.isvExtProdId,
    isvFamilyId: report.isvFamilyId,
    configId: report.configId,
    configSvn: report.configSvn,
    attributes: report.attributes,
    mrtd: report.mrtd,
    rtmrs,
    mrSeam: report.mrSeam,
    mrServiceTd: report.mrServiceTd,
    mrConfigId: report.mrConfigId,
    mrOwner: report.mrOwner,
    mrOwnerConfig: report.mrOwnerConfig,
    tdAttributes: report.tdAttributes,
    debug,
    reportData,
    fmspc,
    qeId: report.qeId,
    ppidSha256: report.ppidSha256,
    platformInstanceId: report.platformInstanceId,
    sgxType: report.sgxType,
    dynamicPlatform: report.dynamicPlatform,
    cachedKeys: report.cachedKeys,
    smtEnabled: report.smtEnabled,
    simulated: report.simulated,
  };
  return claims as QuoteClaims;
}
