import { type RevocationRecord, type RevocationView, SiegelError } from '#contracts';
import type { AuditEmitter } from '#emitter';
import { MAX_SESSION_SECONDS } from '#policy';
import { Inject, Injectable } from '@nestjs/common';
import { AUDIT_EMITTER } from '../audit/audit.module.js';
import { SessionBucket } from './session-bucket.js';

const nameOf = (tenant: string, session: string): string => `${tenant}.${session}`;

/** Single sessions that an administrator ended. Every replica keeps each until no session of that name can be alive. */
@Injectable()
export class RevokedSessions {
  private readonly revoked = new Map<string, RevocationRecord>();

  constructor(
    private readonly bucket: SessionBucket,
    @Inject(AUDIT_EMITTER) private readonly audit: AuditEmitter,
  ) {
    bucket.onRecord({
      platform: () => undefined,
      platformGone: () => undefined,
      revoked: (record) => this.revoked.set(nameOf(record.tenant, record.session), record),
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
    this.revoked.set(nameOf(tenant, session), record);
    return viewOf(record);
  }

  /** Forgets what has served its time. */
  prune(now: number): RevocationRecord[] {
    const ended = [...this.revoked.values()].filter(({ until }) => Date.parse(until) <= now);
    for (const { tenant, session } of ended) this.revoked.delete(nameOf(tenant, session));
    return ended;
  }
}

const viewOf = ({ v: _version, ...view }: RevocationRecord): RevocationView => view;
