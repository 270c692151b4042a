import { asSiegelError, SiegelError } from '#contracts';
import type { AuditEmitter } from '#emitter';
import type { ResourceGrant } from '#policy';
import type { VaultRegistry } from '#vault';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { SessionStandings } from '../../../appraisal/session-standing.js';
import { AUDIT_EMITTER } from '../../../audit/audit.module.js';
import type { ActiveManifest } from '../../../manifests/active-manifest.js';
import { ManifestStore } from '../../../manifests/manifest-store.js';
import { evidenceEnvelope } from '../../../pipeline/attested-claims.js';
import { asDenial, conditionRecords, Denial } from '../../../pipeline/denial.js';
import { decideAgain } from '../../../pipeline/session-decision.js';
import { VAULTS } from '../../../vaults/vaults.token.js';
import { TRUSTEE_PROTOCOL } from '../attest/names.js';
import { KbsError } from '../protocol/kbs-error.js';
import type { KbsSession } from '../session/kbs-session.js';
import { RefusalLog } from '../session/refusal-log.js';
import { sealResource } from './sealed-resource.js';
import { readVaultObject } from './vault-object.js';

/** Vault troubles are no events, since nothing was decided; the same one is written to the operator's log once in this time. */
const REPORT_EVERY_MS = 10_000;

/** One read of one resource: decided by the manifest in force now, logged, sealed to the client's key. */
@Injectable()
export class ResourceService {
  private readonly log = new Logger('trustee');
  private readonly reported = new Map<string, number>();

  constructor(
    private readonly manifests: ManifestStore,
    private readonly standings: SessionStandings,
    private readonly refusals: RefusalLog,
    @Inject(VAULTS) private readonly vaults: VaultRegistry,
    @Inject(AUDIT_EMITTER) private readonly audit: AuditEmitter,
  ) {}

  /** The JWE. @param path `repository/type/tag`. @throws SiegelError, KbsError; a refusal is in the log by then */
  async read(session: KbsSession, path: string): Promise<string> {
    if (!this.audit.available) throw new SiegelError('AUDIT_UNAVAILABLE');
    const manifest = this.manifests.inForce(session.tenant);
    try {
      const grant = this.granted(session, path, manifest);
      const { bytes, version, requestId } = await readVaultObject(this.vaults, grant);
      try {
        const { vault, objectName, objectType } = grant.secret;
        // The event is on its way while the resource is sealed; it does not leave before the promise is here.
        const recording = this.audit.record({
          ...this.envelope(session),
          type: 'release.granted',
          outcome: 'granted',
          data: {
            protocol: TRUSTEE_PROTOCOL,
            boundKey: session.key.thumbprint,
            manifest: reference(manifest!),
            grants: [
              {
                ...{ alias: path, as: 'resource', vault, objectName, objectType, version },
                ...(requestId === undefined ? {} : { requestId }),
              },
            ],
          },
        });
        const [sealed] = await Promise.all([sealResource(bytes, session.key, session.version), recording]);
        return sealed;
      } finally {
        bytes.fill(0);
      }
    } catch (error) {
      throw await this.refuse(session, path, manifest, error);
    }
  }

  private granted(session: KbsSession, path: string, manifest: ActiveManifest | undefined): ResourceGrant {
    const grants = session.attested
      ? decideAgain(session.attested, this.standings.of(session.attested), manifest, new Date()).decision
          .grants
      : manifest?.compiled.workloads.get(session.workload)?.grants;
    const grant = grants?.trustee?.get(path);
    if (grant) return grant;
    const known = [...(grants?.trustee?.keys() ?? [])].slice(0, 16);
    const message = `the manifest grants this workload no resource ${path}`;
    const reason = { code: 'RESOURCE_NOT_GRANTED', message };
    const condition = { name: 'trustee.resource', expected: known, actual: path, ok: false };
    throw new Denial(Denial.of('RELEASE_DENIED', reason).error, reason, [condition], session.workload);
  }

  private async refuse(
    session: KbsSession,
    path: string,
    manifest: ActiveManifest | undefined,
    error: unknown,
  ): Promise<Error> {
    const denial = asDenial(error);
    if (!denial) {
      const outage = asSiegelError(error);
      this.report(outage);
      return outage;
    }
    try {
      this.refusals.admit();
      await this.audit.record({
        ...this.envelope(session),
        type: 'release.denied',
        outcome: 'denied',
        reason: denial.reason,
        data: {
          protocol: TRUSTEE_PROTOCOL,
          boundKey: session.key.thumbprint,
          ...(manifest ? { manifest: reference(manifest) } : {}),
          conditions: conditionRecords(denial.conditions),
        },
      });
    } catch (failure) {
      return asSiegelError(failure);
    }
    if (denial.error.code !== 'SECRET_NOT_FOUND') return denial.error;
    return new KbsError(404, 'PluginInternalError', `${path} is granted, but the vault does not have it`, {
      cause: denial.error,
    });
  }

  private envelope({ tenant, workload, session, attested }: KbsSession) {
    return {
      tenant,
      workload,
      session,
      ...(attested ? evidenceEnvelope(attested.claims) : { simulated: true }),
    };
  }

  private report(error: SiegelError): void {
    const { code, message } = error.reason ?? error;
    const now = Date.now();
    if (now - (this.reported.get(code) ?? 0) < REPORT_EVERY_MS) return;
    this.reported.set(code, now);
    this.log.warn({ msg: `a resource could not be read: ${message}`, code });
  }
}

const reference = ({ record }: ActiveManifest) => ({ version: record.version, digest: record.digest });
