import { asSiegelError, type Appraisal, type AppraisalUse, type VerdictClaims } from '#contracts';
import type { AuditEmitter, EventDraft } from '#emitter';
import { appraisePlatform } from '#policy';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { AUDIT_EMITTER } from '../audit/audit.module.js';
import { ManifestStore } from '../manifests/manifest-store.js';
import { platformState } from './appraisal.js';
import { AppraisalMetrics } from './appraisal-metrics.js';

/** Who ends sessions whose platform fell below policy, in events. */
export const APPRAISAL_ACTOR = 'continuous-appraisal';

export interface ChangedPlatform {
  readonly before: Appraisal;
  readonly after: Appraisal;
  readonly uses: readonly AppraisalUse[];
  readonly simulated: boolean;
  readonly verdict: VerdictClaims;
  readonly now: number;
}

/** What a changed status means for the workloads on a platform, by the manifests in force now. */
@Injectable()
export class DegradedSessions {
  private readonly log = new Logger(DegradedSessions.name);

  constructor(
    private readonly manifests: ManifestStore,
    @Inject(AUDIT_EMITTER) private readonly audit: AuditEmitter,
    private readonly metrics: AppraisalMetrics,
  ) {}

  /** Logs what fell below policy. Gives the uses whose sessions are revoked with it. */
  async report({ before, after, uses, simulated, verdict, now }: ChangedPlatform): Promise<AppraisalUse[]> {
    const revocations: AppraisalUse[] = [];
    for (const use of uses) {
      if (Date.parse(use.until) <= now) continue;
      const { tenant, workload } = use;
      const compiled = this.manifests.inForce(tenant)?.compiled;
      const appraisal = compiled && appraisePlatform(compiled, workload, platformState(after));
      // A workload that is gone is denied by that at its next release.
      if (compiled === undefined || appraisal === undefined || appraisal.accepted) continue;
      const wasAccepted = appraisePlatform(compiled, workload, platformState(before))?.accepted === true;
      if (!wasAccepted && before.tcbStatus === after.tcbStatus) continue;
      const revoked = compiled.workloads.get(workload)?.grants.onDegraded === 'revoke';
      const message =
        after.refusal === undefined
          ? `was ${before.tcbStatus}, is ${after.tcbStatus}`
          : `was ${before.tcbStatus}, is refused now: ${after.refusal}`;
      const common = {
        tenant,
        outcome: 'alert',
        workload,
        tcbStatus: after.tcbStatus,
        reason: { code: appraisal.code, message },
        ...(simulated ? { simulated } : {}),
      } as const;
      await this.record({
        ...common,
        type: 'session.reappraised',
        data: {
          before: before.tcbStatus,
          after: after.tcbStatus,
          advisoryIds: after.advisoryIds,
          evidence: sampleRecord(verdict),
          revoked,
        },
      });
      if (revoked) {
        revocations.push({ ...use, revokedAt: new Date(now).toISOString() });
        await this.record({ ...common, type: 'session.revoked', data: { actor: APPRAISAL_ACTOR } });
      }
      this.metrics.fellBelow(revoked);
    }
    return revocations;
  }

  /** What the log could not promise in time the emitter sends again until it does; the sessions are not spared for that. */
  private async record(event: EventDraft): Promise<void> {
    try {
      await this.audit.record(event);
    } catch (error) {
      this.log.error(`${event.type} of ${event.workload}: ${asSiegelError(error).code}`);
    }
  }
}

/** The sample may be of another tenant's enclave: of it only what is the platform's. */
function sampleRecord({ evidence, claims, collateral, trustRoot }: VerdictClaims) {
  return {
    sha256: evidence.sha256,
    format: evidence.format,
    ...(claims === undefined
      ? {}
      : { tee: claims.tee, advisoryIds: claims.advisoryIds, fmspc: claims.fmspc }),
    ...(trustRoot === undefined ? {} : { trustRoot }),
    ...(collateral === undefined
      ? {}
      : { collateral: collateral.id, tcbEvaluationDataNumber: collateral.tcbEvaluationDataNumber }),
  };
}
