import { RefusalAllowance } from '#platform';
import { SiegelError, VerdictClaims, VerifyReply } from '#contracts';
import type { AuditEmitter, EventDraft } from '#emitter';
import { evaluateMaaPolicy, type MaaDecision, maaPolicyHash, MaaPolicyError, parseMaaPolicy } from '#policy';
import { hash, randomBytes, randomUUID } from 'node:crypto';
import type { CollateralService } from '../collateral/collateral.service.js';
import type { VerifyService } from '../verdict/verify.service.js';
import type { AttestationKind } from './attestation-kind.js';
import { evidenceEnvelope, evidenceRecord } from './evidence-record.js';
import { unboundData } from './held-data.js';
import { MAX_TOKEN_SECONDS } from './maa-environment.js';
import { MaaError, type MaaErrorCode } from './maa-error.js';
import { type AttestRequest, readAttestRequest } from './request-body.js';
import { type Condition, explanation, policyConditions, tenantConditions } from './tenant-conditions.js';
import type { MaaTenant, TenantPolicy } from './tenants-file.js';
import { signedToken, unsignedToken } from './token.js';
import {
  type Attested,
  issuedClaims,
  logReference,
  policyClaims,
  registeredClaims,
  serviceClaims,
} from './token-claims.js';
import type { TokenKeys } from './token-keys.js';

const REFUSALS_PER_SECOND = 100;

export interface AttestInput {
  readonly tenant: MaaTenant;
  readonly keys: TokenKeys;
  readonly kind: AttestationKind;
  readonly apiVersion: string | undefined;
  readonly body: Uint8Array;
}

export interface Answer {
  readonly token: string;
  /** Id of the event that says so. */
  readonly event: string;
}

/** Evidence is refused: what the caller is told, and what the log keeps. */
class Refusal extends Error {
  override readonly name = 'Refusal';
  constructor(
    readonly code: MaaErrorCode,
    readonly inner: string,
    message: string,
    readonly conditions: readonly Condition[] = [],
  ) {
    super(message);
  }
}

/**
 * One attestation: verify, check what the evidence binds, decide by tenant and policy, log, sign, answer. No token leaves before the
 * log has promised to keep the event; refusals are logged as well.
 */
export class MaaAttestation {
  private readonly allowance = new RefusalAllowance(REFUSALS_PER_SECOND);

  constructor(
    private readonly verifier: VerifyService,
    private readonly collateral: CollateralService,
    private readonly audit: AuditEmitter,
    private readonly clock: () => Date,
  ) {}

  /** @throws MaaError, SiegelError for outages */
  async attest(input: AttestInput): Promise<Answer> {
    if (!this.audit.available) throw new SiegelError('AUDIT_UNAVAILABLE');
    const request = readAttestRequest(input.kind, input.body);
    const policy = policyFor(input, request);
    const verdict = await this.verdictOn(input, request);
    try {
      return await this.decide(input, request, policy, verdict);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      throw await this.refused(input, request, policy, verdict, error);
    }
  }

  private async decide(
    input: AttestInput,
    request: AttestRequest,
    policy: TenantPolicy,
    verdict: VerdictClaims,
  ): Promise<Answer> {
    const { tenant, kind, keys } = input;
    const attested: Attested = {
      tenant,
      request,
      verdict: verified(verdict, kind),
      bundle: this.bundleOf(verdict),
    };
    const { claims, collateral } = attested.verdict;
    const unbound = unboundData(claims, request);
    if (unbound) throw new Refusal('InvalidParameter', unbound.code, unbound.message);
    const service = serviceClaims(attested);
    const demanded = tenantConditions(tenant, claims, collateral);
    const decision = decisionOf(policy, service);
    const conditions = [...demanded, ...policyConditions(decision)];
    const permitted = decision.permitted && demanded.every(({ ok }) => ok);
    const draft = request.draftPolicy !== undefined;
    if (!permitted && !draft) {
      const code = decision.permitted ? 'TENANT_CONDITION_UNMET' : 'POLICY_DENIED';
      throw new Refusal('PolicyEvaluationError', code, explanation(conditions), conditions);
    }
    const now = this.clock();
    const seconds = lifetime(tenant, decision);
    const tokenId = randomBytes(32).toString('hex');
    // In this order: what the service states overrides what a policy issues.
    const token = {
      ...issuedClaims(decision),
      ...service,
      ...registeredClaims(tenant, policy.hash, tokenId, now, seconds),
    };
    const common = { ...this.common(input, request, policy, verdict), conditions };
    if (draft) {
      const id = await this.record(input, verdict, {
        type: 'token.drafted',
        outcome: 'ok',
        data: { ...common, permitted },
      });
      if (!permitted)
        throw new MaaError(400, 'PolicyEvaluationError', explanation(conditions), 'DRAFT_DENIED', {
          'x-ms-request-id': id.id,
        });
      return { token: unsignedToken({ ...token, 'x-siegel-dry-run': true }), event: id.id };
    }
    const expiresAt = new Date((token as unknown as { exp: number }).exp * 1_000).toISOString();
    const recorded = await this.record(input, verdict, {
      type: 'token.issued',
      outcome: 'granted',
      data: { ...common, tokenId, expiresAt },
    });
    const logged = { ...token, ...logReference(recorded.id, recorded.promise) };
    return { token: await signedToken(logged, keys.current, tenant.issuer), event: recorded.id };
  }

  /** The verdict as the engine gives it over NATS as well; it comes from this process, so its signature proves nothing more. */
  private async verdictOn(
    { tenant, kind }: AttestInput,
    { evidence }: AttestRequest,
  ): Promise<VerdictClaims> {
    const body = JSON.stringify({
      v: 1,
      requestId: randomUUID(),
      tenant: tenant.name,
      format: kind === 'OpenEnclave' ? 'open-enclave' : 'dcap',
      evidence: evidence.toString('base64url'),
    });
    const { verdict } = VerifyReply.parse(JSON.parse(await this.verifier.verify(Buffer.from(body))));
    return VerdictClaims.parse(
      JSON.parse(Buffer.from(verdict.split('.')[1] ?? '', 'base64url').toString('utf8')),
    );
  }

  private bundleOf({ collateral }: VerdictClaims) {
    return collateral === undefined ? undefined : this.collateral.bundle(collateral.id);
  }

  private async refused(
    input: AttestInput,
    request: AttestRequest,
    policy: TenantPolicy,
    verdict: VerdictClaims,
    refusal: Refusal,
  ): Promise<MaaError> {
    if (!this.allowance.take())
      return new MaaError(
        429,
        'TooManyRequests',
        'Too many requests were refused; try again.',
        'RATE_LIMITED',
        {
          'retry-after': '1',
        },
      );
    const { id } = await this.record(input, verdict, {
      type: 'token.refused',
      outcome: 'denied',
      reason: { code: refusal.inner.slice(0, 64), message: refusal.message.slice(0, 1_000) || refusal.inner },
      data: {
        ...this.common(input, request, policy, verdict),
        conditions: [...refusal.conditions],
      },
    });
    return new MaaError(400, refusal.code, refusal.message, refusal.inner, { 'x-ms-request-id': id });
  }

  private record(
    { tenant }: AttestInput,
    verdict: VerdictClaims,
    event: Pick<EventDraft, 'type' | 'outcome' | 'reason' | 'data'>,
  ) {
    return this.audit.record({
      tenant: tenant.name,
      ...evidenceEnvelope(verdict.claims),
      ...event,
    } as EventDraft);
  }

  private common(
    { tenant, kind, apiVersion }: AttestInput,
    request: AttestRequest,
    policy: TenantPolicy,
    verdict: VerdictClaims,
  ) {
    const { runtime, initTime } = request;
    return {
      protocol: 'maa',
      kind,
      ...(apiVersion === undefined ? {} : { apiVersion }),
      issuer: tenant.issuer,
      evidence: evidenceRecord(verdict),
      ...(runtime === undefined ? {} : { runtimeDataSha256: hash('sha256', runtime.bytes, 'hex') }),
      ...(initTime === undefined ? {} : { initTimeDataSha256: hash('sha256', initTime.bytes, 'hex') }),
      policyHash: policy.hash,
    };
  }
}

/** The tenant's policy, or the caller's draft. @throws MaaError */
function policyFor({ tenant, kind }: AttestInput, { draftPolicy }: AttestRequest): TenantPolicy {
  const inForce = tenant.policies.get(kind);
  if (inForce === undefined) throw new Error(`no policy for ${kind}`);
  if (draftPolicy === undefined) return inForce;
  if (!tenant.drafts)
    throw new MaaError(400, 'InvalidOperation', 'Draft policies are not evaluated here.', 'DRAFT_REFUSED');
  try {
    return { text: draftPolicy, policy: parseMaaPolicy(draftPolicy), hash: maaPolicyHash(draftPolicy) };
  } catch (error) {
    if (!(error instanceof MaaPolicyError)) throw error;
    const message = `Line ${error.line}, column ${error.column}: ${error.message}.`;
    throw new MaaError(400, 'PolicyParsingError', message, error.code);
  }
}

/** @throws Refusal unless the evidence is verified and of the kind that was asked for */
function verified(verdict: VerdictClaims, kind: AttestationKind): Attested['verdict'] {
  const { claims, error } = verdict;
  if (!verdict.verified || claims === undefined) {
    const { code, message, step } = error ?? { code: 'UNVERIFIED', message: 'the verifier gave no reason' };
    throw new Refusal('InvalidQuote', code, step === undefined ? message : `${step}: ${message}`);
  }
  const expected = kind === 'TdxVm' ? 'tdx' : 'sgx';
  if (claims.tee !== expected)
    throw new Refusal(
      'InvalidQuote',
      'TEE_MISMATCH',
      `This is evidence of ${claims.tee}, not of ${expected}.`,
    );
  return { ...verdict, claims };
}

function decisionOf({ policy }: TenantPolicy, claims: Record<string, unknown>): MaaDecision {
  try {
    return evaluateMaaPolicy(policy, policyClaims(claims));
  } catch (error) {
    if (!(error instanceof MaaPolicyError)) throw error;
    throw new Refusal('PolicyEvaluationError', error.code, `line ${error.line}: ${error.message}`);
  }
}

/** The tenant's, shortened by the policy's `report_validity_in_minutes` where that is less. */
function lifetime({ tokenSeconds }: MaaTenant, { properties }: MaaDecision): number {
  const minutes = properties.get('report_validity_in_minutes');
  const asked = typeof minutes === 'number' && minutes > 0 ? minutes * 60 : Infinity;
  return Math.min(tokenSeconds, asked, MAX_TOKEN_SECONDS);
}
