import { asSiegelError, type ReleasePayload, SiegelError, type VerdictClaims } from '#contracts';
import type { AuditEmitter, EventDraft } from '#emitter';
import { checkBinding } from '#evidence';
import { ChallengeMinter, type PublicKey } from '#pki';
import { decide, renderArgv, type Decision } from '#policy';
import { Inject, Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { AUDIT_EMITTER } from '../audit/audit.module.js';
import { PlatformRegistry } from '../appraisal/platform-registry.js';
import { SessionStandings } from '../appraisal/session-standing.js';
import type { ActiveManifest } from '../manifests/active-manifest.js';
import { ManifestStore } from '../manifests/manifest-store.js';
import { SessionTokens } from '../session/session-token.js';
import { attestedClaims, evidenceEnvelope, evidenceRecord } from './attested-claims.js';
import { bindingInput } from './binding-input.js';
import { CHALLENGES } from './challenges.token.js';
import { CertificateIssuance, type IssuedCertificate } from './certificate-issuance.js';
import { asDenial, conditionRecords, Denial, rejected } from './denial.js';
import type { AttestationInput, Carrier, Granted, ReleaseInput } from './interface.js';
import { challengeNonce } from './presented-challenge.js';
import { decideAgain } from './session-decision.js';
import { earlier, renewed, tokenLifetime } from './session-life.js';
import { SecretCollector, type CollectedSecrets } from './secret-collection.js';
import { VerificationClient } from './verification.js';

type Grant = Extract<Decision, { outcome: 'granted' }>;

/**
 * The one pipeline that every wrapper runs through (DESIGN §4): verify, match manifest, decide, collect, log, answer. Nothing is
 * returned before the audit log has promised to keep the event that says so; a denial is logged before it is told.
 */
@Injectable()
export class ReleasePipeline {
  private readonly recorded = new WeakSet<SiegelError>();

  constructor(
    private readonly verification: VerificationClient,
    private readonly manifests: ManifestStore,
    private readonly secrets: SecretCollector,
    private readonly certificates: CertificateIssuance,
    private readonly tokens: SessionTokens,
    private readonly platforms: PlatformRegistry,
    private readonly standings: SessionStandings,
    @Inject(AUDIT_EMITTER) private readonly audit: AuditEmitter,
    @Inject(CHALLENGES) private readonly challenges: ChallengeMinter,
  ) {}

  /** @throws SiegelError; a denial is in the log by then */
  async attest(input: AttestationInput): Promise<Granted> {
    this.requireLog();
    let verdict: VerdictClaims | undefined;
    const manifest = this.manifests.inForce(input.tenant);
    try {
      const nonce = this.nonceOf(input);
      verdict = await this.verification.verify(input);
      const decision = this.judge(input, verdict, manifest, nonce);
      return await this.grant(input, verdict, manifest!, decision);
    } catch (error) {
      throw await this.refuse(input, verdict, manifest, error);
    }
  }

  /** The session's release again, by the manifest that is in force now; no second quote. */
  async release(input: ReleaseInput): Promise<Granted> {
    this.requireLog();
    const { session, tenant } = input;
    const manifest = this.manifests.inForce(tenant);
    const standing = this.standings.of(session);
    try {
      const now = new Date();
      const { manifest: inForce, decision, ends } = decideAgain(session, standing, manifest, now);
      const { carrier } = input;
      const carried = carriedBy(carrier, decision);
      const { payload, secrets, certificate } = await this.collect(carried, input.key, now);
      if (carrier) within(decision, () => carrier.accept(payload, carried.grants));
      const tokenId = randomUUID();
      const recorded = await this.audit.record({
        tenant,
        type: 'release.granted',
        outcome: 'granted',
        workload: decision.workload,
        session: session.session,
        ...evidenceEnvelope(standing.claims),
        data: {
          protocol: input.protocol,
          boundKey: input.key.thumbprint,
          manifest: reference(inForce),
          grants: secrets.records,
          ...(certificate ? { certificate: certificate.record } : {}),
          tokenId,
        },
      });
      // A platform that nobody watches serves no longer than the token that its evidence brought.
      const until = standing.renewable ? ends : earlier(ends, session.expiresAt);
      const { token, expiresAt } = await this.tokens.issue(
        { ...renewed(session, standing), manifest: reference(inForce) },
        input.key,
        tokenId,
        tokenLifetime(decision, now, until),
        now,
      );
      return {
        session: session.session,
        workload: decision.workload,
        simulated: session.simulated,
        token,
        expiresAt,
        sessionEndsAt: ends,
        payload,
        grants: carried.grants,
        versions: secrets.records.map(({ version }) => version),
        promise: recorded.promise,
      };
    } catch (error) {
      const denial = asDenial(error);
      if (!denial) throw asSiegelError(error);
      await this.audit.record({
        tenant,
        type: 'release.denied',
        outcome: 'denied',
        reason: denial.reason,
        workload: session.workload,
        session: session.session,
        ...evidenceEnvelope(standing.claims),
        data: {
          protocol: input.protocol,
          boundKey: input.key.thumbprint,
          ...(manifest ? { manifest: reference(manifest) } : {}),
          conditions: conditionRecords(denial.conditions),
        },
      });
      this.recorded.add(denial.error);
      throw denial.error;
    }
  }

  /** Whether the refusal is in the log already. */
  isRecorded(error: SiegelError): boolean {
    return this.recorded.has(error);
  }

  /** A refusal that came before any evidence could be handed in (a malformed request) is an event all the same. */
  async recordMalformed(tenant: string, protocol: string, error: SiegelError): Promise<void> {
    this.recorded.add(error);
    await this.audit.record({
      tenant,
      type: 'attestation.denied',
      outcome: 'denied',
      reason: error.reason ?? { code: error.code, message: error.message.slice(0, 1_000) },
      data: { protocol, conditions: [] },
    });
  }

  private requireLog(): void {
    if (!this.audit.available) throw new SiegelError('AUDIT_UNAVAILABLE');
  }

  private nonceOf(input: AttestationInput): Buffer | undefined {
    if (input.binding.challenge === undefined) return undefined;
    return challengeNonce(this.challenges, input.binding.challenge);
  }

  private judge(
    input: AttestationInput,
    verdict: VerdictClaims,
    manifest: ActiveManifest | undefined,
    nonce: Buffer | undefined,
  ): Grant {
    if (!verdict.verified || !verdict.claims) throw rejected(verdict);
    const { convention } = input.binding;
    const reportData = Buffer.from(verdict.claims.reportData, 'hex');
    const binding = checkBinding(convention, reportData, bindingInput(input.binding, nonce));
    if (!binding.ok) {
      throw Denial.of('BINDING_MISMATCH', {
        code: binding.code,
        message: `report_data does not bind the key by ${convention}`,
      });
    }
    if (!manifest)
      throw Denial.of('MANIFEST_MISSING', { code: 'MANIFEST_MISSING', message: 'no manifest is in force' });
    const claims = attestedClaims(verdict.claims, verdict.collateral);
    const decision = decide(manifest.compiled, {
      claims: input.customClaims ? { ...claims, customClaims: input.customClaims } : claims,
      ...(input.workloadHint === undefined ? {} : { workloadHint: input.workloadHint }),
      binding: { convention, challenge: nonce !== undefined },
      now: new Date(),
    });
    if (decision.outcome === 'denied') throw Denial.fromDecision(decision);
    return decision;
  }

  private async grant(
    input: AttestationInput,
    verdict: VerdictClaims,
    manifest: ActiveManifest,
    decision: Grant,
  ): Promise<Granted> {
    const now = new Date();
    const { key, convention, challenge } = input.binding;
    const claims = verdict.claims!;
    const { carrier } = input;
    const carried = carriedBy(carrier, decision);
    const { payload, secrets, certificate } = await this.collect(carried, key, now);
    if (carrier) within(decision, () => carrier.accept(payload, carried.grants));
    const session = randomUUID();
    const tokenId = randomUUID();
    const startedAt = now.getTime();
    const ends = new Date(startedAt + decision.grants.sessionLifetimeSeconds * 1_000);
    // The event is on its way while the token is signed; neither leaves before the promise is here.
    const recording = this.audit.record({
      tenant: input.tenant,
      type: 'attestation.granted',
      outcome: 'granted',
      workload: decision.workload,
      session,
      ...evidenceEnvelope(claims),
      data: {
        protocol: input.protocol,
        evidence: evidenceRecord(verdict),
        boundKey: key.thumbprint,
        binding: convention,
        challenge: challenge !== undefined,
        manifest: reference(manifest),
        grants: secrets.records,
        ...(certificate ? { certificate: certificate.record } : {}),
        tokenId,
      },
    });
    const [recorded, issued] = await Promise.all([
      recording,
      this.tokens.issue(
        {
          session,
          tenant: input.tenant,
          workload: decision.workload,
          protocol: input.protocol,
          binding: convention,
          challenge: challenge !== undefined,
          manifest: reference(manifest),
          simulated: claims.simulated,
          evidence: verdict.evidence.signedRegionSha256 ?? verdict.evidence.sha256,
          claims,
          ...rememberedClaims(input.customClaims),
          ...(verdict.collateral ? { collateral: verdict.collateral } : {}),
          startedAt,
          endsAt: ends.getTime(),
          ...(verdict.appraisalKey === undefined ? {} : { appraisalKey: verdict.appraisalKey }),
          appraisedAt: verdict.iat * 1_000,
        },
        key,
        tokenId,
        tokenLifetime(decision, now, ends),
        now,
      ),
    ]);
    this.platforms.opened({
      verdict,
      evidence: input.evidence,
      format: input.format,
      tenant: input.tenant,
      workload: decision.workload,
      startedAt,
      endsAt: ends.getTime(),
    });
    return {
      session,
      workload: decision.workload,
      simulated: claims.simulated,
      token: issued.token,
      expiresAt: issued.expiresAt,
      sessionEndsAt: ends,
      payload,
      grants: carried.grants,
      versions: secrets.records.map(({ version }) => version),
      promise: recorded.promise,
    };
  }

  private async collect(
    decision: Grant,
    key: PublicKey,
    now: Date,
  ): Promise<{
    payload: ReleasePayload;
    secrets: CollectedSecrets;
    certificate: IssuedCertificate | undefined;
  }> {
    const { grants, workload } = decision;
    const secrets = await this.secrets.collect(grants.secrets);
    const certificate = grants.certificate
      ? await this.certificates.issue(grants.certificate, key, now)
      : undefined;
    const payload: ReleasePayload = {
      v: 1,
      workload,
      env: { ...grants.env, ...secrets.env },
      files: secrets.files,
      argv: grants.argv ? renderArgv(grants.argv, secrets.argv) : [],
      ...(certificate ? { certificate: certificate.payload } : {}),
    };
    return { payload, secrets, certificate };
  }

  /** Logs the denial and gives the error for the caller; what is no denial (an outage) passes as it is. */
  private async refuse(
    input: AttestationInput,
    verdict: VerdictClaims | undefined,
    manifest: ActiveManifest | undefined,
    error: unknown,
  ): Promise<SiegelError> {
    const denial = asDenial(error);
    if (!denial) return asSiegelError(error);
    const event: EventDraft = {
      tenant: input.tenant,
      type: 'attestation.denied',
      outcome: 'denied',
      reason: denial.reason,
      ...(denial.workload === undefined ? {} : { workload: denial.workload }),
      ...evidenceEnvelope(verdict?.claims),
      data: {
        protocol: input.protocol,
        ...(verdict ? { evidence: evidenceRecord(verdict) } : {}),
        boundKey: input.binding.key.thumbprint,
        binding: input.binding.convention,
        ...(input.workloadHint === undefined ? {} : { workloadHint: input.workloadHint.slice(0, 128) }),
        ...(manifest ? { manifest: reference(manifest) } : {}),
        conditions: conditionRecords(denial.conditions),
      },
    };
    try {
      await this.audit.record(event);
    } catch (failure) {
      return asSiegelError(failure);
    }
    this.recorded.add(denial.error);
    return denial.error;
  }
}

/** The decision with what its protocol can carry. */
function carriedBy(carrier: Carrier | undefined, decision: Grant): Grant {
  if (!carrier) return decision;
  return { ...decision, grants: within(decision, () => carrier.select(decision.grants)) };
}

/** A refusal by the carrier belongs to the decision that was made before. */
function within<T>(decision: Grant, step: () => T): T {
  try {
    return step();
  } catch (error) {
    const denial = asDenial(error);
    throw denial ? denial.after(decision) : error;
  }
}

/** Tokens have a bound; claims beyond it decide the attestation alone. */
const MAX_REMEMBERED_CLAIMS = 1_024;
const rememberedClaims = (customClaims: AttestationInput['customClaims']) =>
  customClaims && JSON.stringify(customClaims).length <= MAX_REMEMBERED_CLAIMS ? { customClaims } : {};

const reference = ({ record }: ActiveManifest) => ({ version: record.version, digest: record.digest });
