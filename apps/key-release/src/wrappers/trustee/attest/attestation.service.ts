import type { VerdictClaims } from '#contracts';
import { checkBinding, trusteeRuntimeData } from '#evidence';
import { decide, type Grants } from '#policy';
import { Inject, Injectable } from '@nestjs/common';
import { hash, timingSafeEqual } from 'node:crypto';
import { PlatformRegistry } from '../../../appraisal/platform-registry.js';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../../environment.js';
import type { ActiveManifest } from '../../../manifests/active-manifest.js';
import { ManifestStore } from '../../../manifests/manifest-store.js';
import { Denial } from '../../../pipeline/denial.js';
import {
  type AttestedFacts,
  EvidenceGate,
  type Judgement,
  type OwnBinding,
} from '../../../pipeline/evidence-gate.js';
import type { SessionClaims } from '../../../session/session-token.js';
import { type Attestation, readAttestation } from '../protocol/messages.js';
import { isComposite } from '../protocol/versions.js';
import type { KbsSession } from '../session/kbs-session.js';
import { RefusalLog } from '../session/refusal-log.js';
import { repeatsNonce, type Ticket } from '../session/session-tickets.js';
import type { SessionStore } from '../session/session-store.js';
import { EarTokens } from '../token/ear-tokens.js';
import { checkDevices } from './device-evidence.js';
import { isMeasured, readInitData, type InitData } from './init-data.js';
import { TRUSTEE_BINDING, TRUSTEE_PROTOCOL } from './names.js';
import { TeeKey } from './tee-key.js';

/** A request to attest, taken apart and found to belong to its session. */
interface Presented {
  readonly tenant: string;
  readonly ticket: Ticket;
  readonly key: TeeKey;
  readonly attestation: Attestation;
  readonly initData: InitData | undefined;
  readonly runtimeData: Buffer;
  readonly nonce: string;
}

/** What the judge found; it is told and opened once the log has promised to keep the event. */
interface Admission {
  readonly session: KbsSession;
  readonly verdict: VerdictClaims | undefined;
  token: string;
}

/** What the manifest in force makes of the client. */
interface Decided {
  readonly manifest: ActiveManifest;
  readonly workload: string;
  readonly grants: Grants;
}

/** `POST /attest`: evidence in, session and EAR token out, by way of the evidence gate. No secret is read here. */
@Injectable()
export class AttestationService {
  constructor(
    private readonly gate: EvidenceGate,
    private readonly manifests: ManifestStore,
    private readonly tokens: EarTokens,
    private readonly platforms: PlatformRegistry,
    private readonly refusals: RefusalLog,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {}

  /** The token, and the session that is open from now on. @throws SiegelError; a refusal is in the log by then */
  async attest(
    tenant: string,
    ticket: Ticket,
    body: Buffer,
    store: SessionStore,
  ): Promise<{ token: string; session: KbsSession }> {
    const presented = await this.refusals.recording(tenant, () => {
      const read = this.read(tenant, ticket, body);
      store.claim(ticket, new Date());
      return read;
    });
    const { session, verdict, token } = (await this.admit(presented)).value;
    const { attested, workload } = session;
    const { evidence } = presented.attestation;
    if (verdict && attested && evidence.tee !== 'sample') {
      const times = { startedAt: attested.startedAt!, endsAt: attested.endsAt! };
      const opened = { verdict, evidence: evidence.quote, format: 'dcap' as const, tenant, workload };
      this.platforms.opened({ ...opened, ...times });
    }
    store.open(ticket.id, session);
    return { token, session };
  }

  private read(tenant: string, ticket: Ticket, body: Buffer): Presented {
    const attestation = readAttestation(body, ticket.version, ticket.tee);
    if (attestation.nonce !== undefined && !repeatsNonce(ticket, attestation.nonce)) {
      const message = 'the runtime data repeats another nonce than that of its session';
      throw Denial.of('CHALLENGE_INVALID', { code: 'NONCE_MISMATCH', message }).error;
    }
    const key = TeeKey.read(attestation.key, ticket.version);
    const nonce = ticket.nonce.toString('base64');
    const { additional } = attestation;
    const runtime = trusteeRuntimeData({
      nonce,
      key: key.jwk,
      ...(isComposite(ticket.version) ? { additionalEvidence: additional ?? '' } : {}),
    });
    const initData = attestation.initData && readInitData(attestation.initData.body);
    return { tenant, ticket, key, attestation, initData, runtimeData: Buffer.from(runtime), nonce };
  }

  private admit(presented: Presented) {
    const { tenant, attestation, key, ticket, runtimeData } = presented;
    const { evidence } = attestation;
    const binding: OwnBinding = {
      name: TRUSTEE_BINDING,
      boundKey: key.thumbprint,
      challenge: true,
      check: (reportData) =>
        checkBinding(TRUSTEE_BINDING, reportData, { spki: key.spki, nonce: ticket.nonce, runtimeData }),
    };
    if (evidence.tee === 'sample') {
      return this.gate.admitUnattested({ tenant, protocol: TRUSTEE_PROTOCOL, binding }, async (facts) => {
        const expected = hash('sha384', runtimeData, 'buffer');
        const { reportData } = evidence;
        if (reportData.length !== expected.length || !timingSafeEqual(reportData, expected)) {
          const message = `the report data of the sample evidence does not bind the key by ${TRUSTEE_BINDING}`;
          throw Denial.of('BINDING_MISMATCH', { code: 'BINDING_MISMATCH', message });
        }
        return this.judgement(presented, facts, this.sampleGrants(tenant), undefined);
      });
    }
    return this.gate.attest(
      { tenant, protocol: TRUSTEE_PROTOCOL, evidence: evidence.quote, format: 'dcap', binding },
      async (facts) => {
        checkClaims(presented, facts);
        return this.judgement(presented, facts, this.decided(tenant, facts), facts.verdict);
      },
    );
  }

  private decided(tenant: string, { claims, now }: AttestedFacts): Decided {
    const manifest = this.manifestOf(tenant);
    const decision = decide(manifest.compiled, {
      claims,
      binding: { convention: TRUSTEE_BINDING, challenge: true },
      now,
    });
    if (decision.outcome === 'denied') throw Denial.fromDecision(decision);
    return { manifest, workload: decision.workload, grants: decision.grants };
  }

  /** Sample evidence proves nothing, so that it is a name in the configuration which says what it stands for. */
  private sampleGrants(tenant: string): Decided {
    const manifest = this.manifestOf(tenant);
    const workload = this.environment.SIEGEL_TRUSTEE_SAMPLE_WORKLOAD;
    const compiled = workload === undefined ? undefined : manifest.compiled.workloads.get(workload);
    if (workload === undefined || compiled === undefined) {
      const message = 'SIEGEL_TRUSTEE_SAMPLE_WORKLOAD names no workload of the manifest in force';
      throw Denial.of('RELEASE_DENIED', { code: 'SAMPLE_WORKLOAD_UNKNOWN', message });
    }
    return { manifest, workload, grants: compiled.grants };
  }

  private manifestOf(tenant: string): ActiveManifest {
    const manifest = this.manifests.inForce(tenant);
    if (manifest) return manifest;
    throw Denial.of('MANIFEST_MISSING', { code: 'MANIFEST_MISSING', message: 'no manifest is in force' });
  }

  private judgement(
    presented: Presented,
    facts: Pick<AttestedFacts, 'session' | 'now'>,
    decided: Decided,
    verdict: VerdictClaims | undefined,
  ): Judgement<Admission> {
    const { attestation, key, nonce } = presented;
    const { manifest, workload, grants } = decided;
    checkDevices(attestation.additional, nonce, key, this.environment.SIEGEL_SIMULATION);
    if (!grants.trustee) {
      const message = 'the manifest names no resources for this workload; give it a "trustee" section';
      const reason = { code: 'TRUSTEE_NOT_GRANTED', message };
      throw new Denial(Denial.of('RELEASE_DENIED', reason).error, reason, [], workload);
    }
    const { version, digest } = manifest.record;
    const value = { session: this.sessionOf(presented, facts, decided, verdict), verdict, token: '' };
    const runtime = { nonce, additional: attestation.additional };
    const meanwhile = async (): Promise<void> => {
      value.token = await this.tokens.issue(value.session, runtime, facts.now);
    };
    // The conditions of a manifest of ours follow from its digest.
    return { workload, conditions: [], policy: { version, digest }, value, meanwhile };
  }

  private sessionOf(
    { tenant, ticket, key, attestation }: Presented,
    facts: Pick<AttestedFacts, 'session' | 'now'>,
    { grants, workload, manifest }: Decided,
    verdict: VerdictClaims | undefined,
  ): KbsSession {
    const { SIEGEL_TRUSTEE_SESSION_SECONDS: most, SIEGEL_TOKEN_TTL_SECONDS: token } = this.environment;
    const seconds = Math.min(most, token, grants.tokenTtlSeconds, grants.sessionLifetimeSeconds);
    const startedAt = facts.now.getTime();
    const expiresAt = new Date((Math.floor(startedAt / 1_000) + seconds) * 1_000);
    const base = { tenant, session: facts.session, workload, version: ticket.version, key, expiresAt };
    const claims = verdict?.claims;
    if (!verdict || !claims || attestation.evidence.tee === 'sample') return { ...base, attested: undefined };
    const endsAt = expiresAt.getTime();
    const attested: SessionClaims = {
      session: facts.session,
      tenant,
      workload,
      protocol: TRUSTEE_PROTOCOL,
      binding: TRUSTEE_BINDING,
      challenge: true,
      manifest: { version: manifest.record.version, digest: manifest.record.digest },
      simulated: claims.simulated,
      evidence: verdict.evidence.signedRegionSha256 ?? verdict.evidence.sha256,
      claims,
      ...(verdict.collateral ? { collateral: verdict.collateral } : {}),
      startedAt,
      endsAt,
      ...(verdict.appraisalKey === undefined ? {} : { appraisalKey: verdict.appraisalKey }),
      appraisedAt: verdict.iat * 1_000,
      tokenId: facts.session,
      expiresAt,
      thumbprint: key.thumbprint,
    };
    return { ...base, attested };
  }
}

/** What the session promised of its evidence: the kind of TEE, and the init-data that its configuration field measures. */
function checkClaims({ ticket, initData }: Presented, { claims }: AttestedFacts): void {
  if (claims.tee !== ticket.tee) {
    const message = `the session is for ${ticket.tee}, the evidence is of ${claims.tee}`;
    throw Denial.of('EVIDENCE_REJECTED', { code: 'TEE_MISMATCH', message });
  }
  const field = claims.tee === 'sgx' ? claims.configId : claims.mrConfigId;
  if (initData !== undefined && !isMeasured(initData, field)) {
    const name = claims.tee === 'sgx' ? 'CONFIGID' : 'MRCONFIGID';
    const message = `${name} is not the ${initData.algorithm} of the init-data`;
    throw Denial.of('BINDING_MISMATCH', { code: 'INIT_DATA_MISMATCH', message });
  }
}
