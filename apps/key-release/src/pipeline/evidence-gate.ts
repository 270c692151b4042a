import {
  asSiegelError,
  type CertificateRecord,
  type GrantRecord,
  type LogPromise,
  type ManifestReference,
  SiegelError,
  type VerdictClaims,
} from '#contracts';
import type { AuditEmitter } from '#emitter';
import { checkBinding } from '#evidence';
import { ChallengeMinter } from '#pki';
import type { AttestedClaims, Condition } from '#policy';
import { Inject, Injectable } from '@nestjs/common';
import { hash, randomUUID } from 'node:crypto';
import type { z } from 'zod';
import { AUDIT_EMITTER } from '../audit/audit.module.js';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../environment.js';
import { attestedClaims, evidenceEnvelope, evidenceRecord } from './attested-claims.js';
import { bindingInput } from './binding-input.js';
import { CHALLENGES } from './challenges.token.js';
import { asDenial, conditionRecords, Denial, rejected } from './denial.js';
import type { AttestationInput } from './interface.js';
import { challengeNonce } from './presented-challenge.js';
import { VerificationClient } from './verification.js';

/** A protocol's own rule for its report data, where none of the named conventions of `libs/evidence` describes it. */
export interface OwnBinding {
  /** Name for the event, at most 32 characters. */
  readonly name: string;
  /** For the event: what identifies the bound key, at most 64 characters (RFC 7638 thumbprint, SHA-256 of the certificate). */
  readonly boundKey: string;
  /** Whether the rule covers a nonce of this service that is used once; the protocol has checked that it is. */
  readonly challenge?: boolean;
  /** Compares in constant time. */
  check(reportData: Buffer): { readonly ok: true } | { readonly ok: false; code: string; message: string };
}

export interface EvidenceInput extends Pick<
  AttestationInput,
  'tenant' | 'protocol' | 'evidence' | 'format' | 'customClaims' | 'workloadHint'
> {
  readonly binding: AttestationInput['binding'] | OwnBinding;
}

/** What the verifier vouches for; the protocol's own policy decides on it. */
export interface AttestedFacts {
  readonly claims: AttestedClaims;
  readonly verdict: VerdictClaims;
  readonly session: string;
  readonly now: Date;
}

/** A positive decision by a protocol's own policy; a refusal is a thrown {@link Denial}. */
export interface Judgement<T> {
  readonly workload: string;
  readonly conditions: readonly Condition[];
  /** Which policy decided: its version within the deployment, and its SHA-256 (hex). */
  readonly policy: z.infer<typeof ManifestReference>;
  readonly grants?: readonly z.infer<typeof GrantRecord>[];
  readonly certificate?: z.infer<typeof CertificateRecord>;
  readonly value: T;
  /** Work on the value that need not wait for the log (a token's signature): begun once the event is on its way. */
  readonly meanwhile?: () => Promise<void>;
}

export interface Admitted<T> {
  readonly session: string;
  readonly workload: string;
  readonly simulated: boolean;
  /** What the judge gave; it leaves the gate only after the log's promise. */
  readonly value: T;
  readonly promise: LogPromise;
}

/**
 * The pipeline for protocols that bring a policy of their own: evidence is verified, its binding checked, the protocol's judge asked,
 * and the decision logged before it is told. What the judge prepares is given to nobody if the log does not promise to keep the event.
 */
@Injectable()
export class EvidenceGate {
  private readonly recorded = new WeakSet<SiegelError>();

  constructor(
    private readonly verification: VerificationClient,
    @Inject(AUDIT_EMITTER) private readonly audit: AuditEmitter,
    @Inject(CHALLENGES) private readonly challenges: ChallengeMinter,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {}

  /** @throws SiegelError; a denial is in the log by then */
  async attest<T>(
    input: EvidenceInput,
    judge: (facts: AttestedFacts) => Promise<Judgement<T>>,
  ): Promise<Admitted<T>> {
    if (!this.audit.available) throw new SiegelError('AUDIT_UNAVAILABLE');
    const session = randomUUID();
    let verdict: VerdictClaims | undefined;
    try {
      const { binding } = input;
      const nonce =
        'convention' in binding && binding.challenge !== undefined
          ? challengeNonce(this.challenges, binding.challenge)
          : undefined;
      verdict = await this.verification.verify(input);
      if (!verdict.verified || !verdict.claims) throw rejected(verdict);
      requireBinding(binding, verdict.claims.reportData, nonce);
      const claims = attestedClaims(verdict.claims, verdict.collateral);
      const facts: AttestedFacts = {
        claims: input.customClaims ? { ...claims, customClaims: input.customClaims } : claims,
        verdict,
        session,
        now: new Date(),
      };
      const judgement = await judge(facts);
      return await this.admit(input, session, judgement, verdict);
    } catch (error) {
      throw await this.refuse(input, verdict, error);
    }
  }

  /**
   * For protocols with an explicit profile without evidence (development without an enclave). Refused unless this deployment simulates,
   * and the event says so.
   */
  async admitUnattested<T>(
    input: Omit<EvidenceInput, 'evidence' | 'format' | 'customClaims'> & { readonly binding: OwnBinding },
    judge: (facts: Pick<AttestedFacts, 'session' | 'now'>) => Promise<Judgement<T>>,
  ): Promise<Admitted<T>> {
    if (!this.audit.available) throw new SiegelError('AUDIT_UNAVAILABLE');
    const session = randomUUID();
    const presented: EvidenceInput = { ...input, evidence: new Uint8Array(), format: 'auto' };
    try {
      if (!this.environment.SIEGEL_SIMULATION) {
        throw Denial.of('EVIDENCE_REJECTED', {
          code: 'EVIDENCE_MISSING',
          message: 'no evidence, and this deployment simulates nothing',
        });
      }
      return await this.admit(presented, session, await judge({ session, now: new Date() }), undefined);
    } catch (error) {
      throw await this.refuse(presented, undefined, error);
    }
  }

  /** Whether the refusal is in the log already. */
  isRecorded(error: SiegelError): boolean {
    return this.recorded.has(error);
  }

  private async admit<T>(
    input: EvidenceInput,
    session: string,
    judgement: Judgement<T>,
    verdict: VerdictClaims | undefined,
  ): Promise<Admitted<T>> {
    const { workload, conditions, policy, grants, certificate, value, meanwhile } = judgement;
    const simulated = verdict?.claims?.simulated ?? true;
    const recording = this.audit.record({
      tenant: input.tenant,
      type: 'attestation.granted',
      outcome: 'granted',
      workload,
      session,
      ...evidenceEnvelope(verdict?.claims),
      ...(simulated ? { simulated } : {}),
      data: {
        protocol: input.protocol,
        evidence: verdict ? evidenceRecord(verdict) : { sha256: hash('sha256', ''), format: 'none' },
        ...bindingRecord(input.binding),
        challenge: input.binding.challenge !== undefined && input.binding.challenge !== false,
        manifest: policy,
        conditions: conditionRecords(conditions),
        grants: [...(grants ?? [])],
        ...(certificate ? { certificate } : {}),
      },
    });
    const [{ promise }] = await Promise.all([recording, meanwhile?.()]);
    return { session, workload, simulated, value, promise };
  }

  /** Logs the denial and gives the error for the caller; what is no denial (an outage) passes as it is. */
  private async refuse(
    input: EvidenceInput,
    verdict: VerdictClaims | undefined,
    error: unknown,
  ): Promise<SiegelError> {
    const denial = asDenial(error);
    if (!denial) return asSiegelError(error);
    try {
      await this.audit.record({
        tenant: input.tenant,
        type: 'attestation.denied',
        outcome: 'denied',
        reason: denial.reason,
        ...(denial.workload === undefined ? {} : { workload: denial.workload }),
        ...evidenceEnvelope(verdict?.claims),
        data: {
          protocol: input.protocol,
          ...(verdict ? { evidence: evidenceRecord(verdict) } : {}),
          ...bindingRecord(input.binding),
          ...(input.workloadHint === undefined ? {} : { workloadHint: input.workloadHint.slice(0, 128) }),
          conditions: conditionRecords(denial.conditions),
        },
      });
    } catch (failure) {
      return asSiegelError(failure);
    }
    this.recorded.add(denial.error);
    return denial.error;
  }
}

function requireBinding(binding: EvidenceInput['binding'], reportDataHex: string, nonce: Buffer | undefined) {
  const reportData = Buffer.from(reportDataHex, 'hex');
  const result =
    'convention' in binding
      ? checkBinding(binding.convention, reportData, bindingInput(binding, nonce))
      : binding.check(reportData);
  if (result.ok) return;
  const name = 'convention' in binding ? binding.convention : binding.name;
  throw Denial.of('BINDING_MISMATCH', {
    code: result.code,
    message: `report_data does not bind the key by ${name}`,
  });
}

const bindingRecord = (binding: EvidenceInput['binding']) =>
  'convention' in binding
    ? { boundKey: binding.key.thumbprint, binding: binding.convention as string }
    : { boundKey: binding.boundKey, binding: binding.name };
