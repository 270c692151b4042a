import { asSiegelError, type LogPromise, SiegelError } from '#contracts';
import type { AuditEmitter } from '#emitter';
import { PublicKey } from '#pki';
import { type Condition, decide, scone } from '#policy';
import { Inject, Injectable } from '@nestjs/common';
import { hash, randomUUID } from 'node:crypto';
import { AUDIT_EMITTER } from '../../../audit/audit.module.js';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../../environment.js';
import { AttemptLimit } from '../../../pipeline/attempt-limit.js';
import { asDenial, conditionRecords, Denial } from '../../../pipeline/denial.js';
import { EvidenceGate } from '../../../pipeline/evidence-gate.js';
import { neededSecrets, type ReleaseBundle, renderBundle } from '../secrets/bundle.js';
import { SecretProblem } from '../secrets/made-secret.js';
import { renderText } from '../secrets/render-template.js';
import type { SconeClient } from '../session/client.js';
import { type OpenSession, SessionService } from '../session/session.service.js';
import type { AttestRequest } from './attest-request.js';
import { federatedEvidence } from './federated-peer.js';
import { FirstUses } from './once.js';
import { oneTimeStep, sameToken } from './second-factor.js';
import { refused, SERVICE_WORKLOAD, servicePolicy, type ServicePolicy } from './service-policy.js';
import { type CollectedSecrets, SharedSecrets } from './shared-secrets.js';

export const SCONE_PROTOCOL = 'scone';

export interface Admission {
  /** Of the session's version that decided. */
  readonly hash: string;
  readonly simulated: boolean;
  readonly release: ReleaseBundle;
  readonly promise: LogPromise;
}

interface Decided {
  readonly opened: OpenSession;
  readonly release: ReleaseBundle;
  readonly grants: CollectedSecrets['grants'];
}

/** A service of a session kept here gets its release: by its quote, or by what a pinned CAS vouches for. */
@Injectable()
export class AttestService {
  /** By service: who runs it can ask as often as he likes, and one of 333,333 guesses at six digits is right (RFC 4226 section 7.3). */
  private readonly wrongPasswords = new AttemptLimit(0.2, Date.now, 5);

  constructor(
    private readonly sessions: SessionService,
    private readonly secrets: SharedSecrets,
    private readonly firstUses: FirstUses,
    private readonly gate: EvidenceGate,
    @Inject(AUDIT_EMITTER) private readonly audit: AuditEmitter,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {}

  /** @throws SiegelError; a refusal is in the log by then */
  async attest(tenant: string, request: AttestRequest, client: SconeClient): Promise<Admission> {
    return request.evidence === undefined
      ? this.byFederation(tenant, request, client)
      : this.byEvidence(tenant, request, request.evidence, client);
  }

  private async byEvidence(tenant: string, request: AttestRequest, evidence: string, client: SconeClient) {
    const { certificate } = client;
    if (!certificate) throw new SiegelError('CLIENT_CERTIFICATE_INVALID');
    const key = PublicKey.fromSpki(certificate.publicKey.export({ format: 'der', type: 'spki' }));
    const admitted = await this.gate.attest<Decided>(
      {
        tenant,
        protocol: SCONE_PROTOCOL,
        evidence: Buffer.from(evidence, 'base64url'),
        format: 'auto',
        binding: { convention: request.binding, key, certificate: certificate.raw },
        workloadHint: workloadOf(request),
      },
      async ({ claims, now }) => {
        const { opened, policy } = await this.policyOf(tenant, request);
        const decision = decide(policy.compiled, {
          claims,
          workloadHint: SERVICE_WORKLOAD,
          binding: { convention: request.binding, challenge: false },
          now,
        });
        if (decision.outcome === 'denied') throw Denial.fromDecision(decision);
        const value = await this.decide(opened, policy, request, claims.mrenclave, now);
        return {
          workload: workloadOf(request),
          conditions: decision.conditions,
          policy: referenceOf(opened),
          grants: value.grants,
          value,
        };
      },
    );
    const { value, simulated, promise } = admitted;
    return { hash: value.opened.record.hash, simulated, release: value.release, promise };
  }

  private async byFederation(tenant: string, request: AttestRequest, client: SconeClient) {
    if (!this.audit.available) throw new SiegelError('AUDIT_UNAVAILABLE');
    const now = new Date();
    const boundKey =
      client.certificate === undefined ? undefined : hash('sha256', client.certificate.raw, 'hex');
    try {
      const entry = this.sessions
        .settings(tenant)
        .federation.find(
          ({ session, service }) => session === request.session && service === request.service,
        );
      if (!entry) throw refused('SCONE_NOT_FEDERATED', 'no other CAS is trusted for this service');
      const { opened, policy } = await this.policyOf(tenant, request);
      const context = { tenant, firstUses: this.firstUses, now };
      const evidence = await federatedEvidence(client, entry, policy.service, request.token, context);
      const value = await this.decide(opened, policy, request, evidence.mrenclave, now);
      const { promise } = await this.audit.record({
        tenant,
        type: 'attestation.granted',
        outcome: 'granted',
        workload: workloadOf(request),
        session: randomUUID(),
        ...(evidence.mrenclave === undefined ? {} : { mrenclave: evidence.mrenclave }),
        data: {
          protocol: SCONE_PROTOCOL,
          evidence: { sha256: evidence.sha256, format: evidence.format },
          boundKey: boundKey ?? '',
          binding: 'tls-client-certificate',
          challenge: false,
          manifest: referenceOf(opened),
          conditions: conditionRecords(evidence.conditions),
          grants: value.grants,
        },
      });
      return { hash: opened.record.hash, simulated: false, release: value.release, promise };
    } catch (error) {
      throw await this.refuse(tenant, request, boundKey, error);
    }
  }

  private async refuse(
    tenant: string,
    request: AttestRequest,
    boundKey: string | undefined,
    error: unknown,
  ): Promise<SiegelError> {
    const denial = asDenial(error);
    if (!denial) return asSiegelError(error);
    const conditions: readonly Condition[] = denial.conditions;
    await this.audit.record({
      tenant,
      type: 'attestation.denied',
      outcome: 'denied',
      reason: denial.reason,
      data: {
        protocol: SCONE_PROTOCOL,
        ...(boundKey === undefined ? {} : { boundKey, binding: 'tls-client-certificate' }),
        workloadHint: workloadOf(request),
        conditions: conditionRecords(conditions),
      },
    });
    return denial.error;
  }

  private async policyOf(tenant: string, request: AttestRequest) {
    const opened = await this.sessions.open(tenant, request.session);
    if (!opened) throw refused('SCONE_SESSION_UNKNOWN', 'there is no such session');
    const policy = servicePolicy(opened.read, request.service, {
      tenant,
      trustDomain: this.environment.SIEGEL_TRUST_DOMAIN,
      acceptSimulated: this.environment.SIEGEL_SIMULATION,
    });
    return { opened, policy };
  }

  /** Everything that is left once the enclave is known: second factors, secrets, templates. @throws Denial, SiegelError */
  private async decide(
    opened: OpenSession,
    { service, image }: ServicePolicy,
    request: AttestRequest,
    mrenclave: string | undefined,
    now: Date,
  ): Promise<Decided> {
    try {
      await this.requireFactors(opened, service, request, now);
      const needed = neededSecrets(service, image);
      const { values, grants } = await this.secrets.collect(opened, needed, mrenclave, now);
      return { opened, grants, release: renderBundle(service, image, values, request.arguments) };
    } catch (error) {
      if (error instanceof SecretProblem) throw refused(error.code, error.message);
      throw error;
    }
  }

  private async requireFactors(
    opened: OpenSession,
    service: scone.SconeService,
    { oneTimePassword = '', accessToken = '' }: AttestRequest,
    now: Date,
  ): Promise<void> {
    const { serviceAccessToken, otpSharedSecret } = opened.session.security;
    const shared = service.otpSharedSecret ?? otpSharedSecret;
    const filled = async (template: string): Promise<string> => {
      const names = new Set(
        scone.parseTemplate(template).flatMap((part) => (part.kind === 'secret' ? [part.name] : [])),
      );
      const { values } = await this.secrets.collect(opened, names, undefined, now);
      return renderText(template, values);
    };
    if (serviceAccessToken !== undefined && !sameToken(await filled(serviceAccessToken), accessToken))
      throw refused('SCONE_ACCESS_TOKEN_INVALID', 'the service access token is not that of the session');
    if (shared === undefined) return;
    const secret = await filled(shared);
    const { tenant, name } = opened.record;
    const step = this.oneTime(JSON.stringify([tenant, name, service.name]), secret, oneTimePassword, now);
    const use = `otp ${JSON.stringify([name, service.name, step])}`;
    if (!(await this.firstUses.claim(tenant, use, randomUUID())))
      throw refused('SCONE_OTP_USED', 'the one-time password was used before');
  }

  /** The step of the one-time password; in one turn, so that attempts at once are counted as those one after the other. */
  private oneTime(service: string, secret: string, given: string, now: Date): number {
    const wait = this.wrongPasswords.waitFor(service);
    if (wait > 0)
      throw refused('SCONE_OTP_THROTTLED', `too many wrong one-time passwords; the next in ${wait} seconds`);
    const step = oneTimeStep(secret, given, now);
    if (step !== undefined) return step;
    if (given !== '') this.wrongPasswords.failed(service);
    throw refused('SCONE_OTP_INVALID', 'the one-time password is not valid now');
  }
}

const workloadOf = ({ session, service }: AttestRequest): string => `${session}/${service}`.slice(0, 128);

const referenceOf = ({ record }: OpenSession) => ({ version: record.version, digest: record.hash });
