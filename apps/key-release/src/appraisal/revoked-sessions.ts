import { type RevocationRecord, type RevocationView, SiegelError } from '#contracts';
import type { AuditEmitter } from '#emitter';
import { MAX_SESSION_SECONDS } from '#policy';
import { Inject, Injectable } from '@nestjs/common';
import { AUDIT_EMITTER } from '../audit/audit.module.js';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../environment.js';
import { RevocationFile } from './revocation-file.js';
import { SessionBucket } from './session-bucket.js';

const nameOf = (tenant: string, session: string): string => `${tenant}.${session}`;

/** Single sessions that an administrator ended. Every replica keeps each until no session of that name can be alive. */
@Injectable()
export class RevokedSessions {
  private readonly revoked = new Map<string, RevocationRecord>();
  private readonly file: RevocationFile;

  constructor(
    private readonly bucket: SessionBucket,
    @Inject(AUDIT_EMITTER) private readonly audit: AuditEmitter,
    @Inject(KEY_RELEASE_ENVIRONMENT) environment: KeyReleaseEnvironment,
  ) {
    this.file = new RevocationFile(environment.SIEGEL_STATE_DIR);
    for (const record of this.file.load(Date.now()))
      this.revoked.set(nameOf(record.tenant, record.session), record);
    bucket.onRecord({
      platform: () => undefined,
      platformGone: () => undefined,
      revoked: (record) => this.learn(record),
    });
  }

  find(tenant: string, session: string): RevocationRecord | undefined {
    return this.revoked.size === 0 ? undefined : this.revoked.get(nameOf(tenant, session));
  }

  /**
   * Ends a session. The event is in the log before it takes effect. A second time changes nothing.
   * @throws SiegelError AUDIT_UNAVAILABLE; STORE_UNAVAILABLE: the event is logged, but other replicas do not know
   */
  async revoke(tenant: string, session: string, actor: string): Promise<RevocationView> {
    const known = this.find(tenant, session);
    if (known !== undefined) return viewOf(known);
    const now = Date.now();
    const record: RevocationRecord = {
      v: 1,
      tenant,
      session,
      revokedAt: new Date(now).toISOString(),
      actor,
      until: new Date(now + MAX_SESSION_SECONDS * 1_000).toISOString(),
    };
    await this.audit.record({
      tenant,
      type: 'session.revoked',
      outcome: 'ok',
      session,
      reason: { code: 'REVOKED_BY_ADMINISTRATOR', message: 'an administrator ended the session' },
      data: { actor },
    });
    try {
      await this.bucket.writeRevocation(record);
    } catch (error) {
      throw new SiegelError('STORE_UNAVAILABLE', { cause: error });
    }
    this.learn(record);
    return viewOf(record);
  }

  private learn(record: RevocationRecord): void {
    const name = nameOf(record.tenant, record.session);
    if (this.revoked.has(name) || Date.parse(record.until) <= Date.now()) return;
    this.revoked.set(name, record);
    this.file.add(record);
  }

  /** Forgets what has served its time. */
  prune(now: number): RevocationRecord[] {
    const ended = [...this.revoked.values()].filter(({ until }) => Date.parse(until) <= now);
    for (const { tenant, session } of ended) this.revoked.delete(nameOf(tenant, session));
    return ended;
  }
}

const viewOf = ({ v: _version, ...view }: RevocationRecord): RevocationView => view;
