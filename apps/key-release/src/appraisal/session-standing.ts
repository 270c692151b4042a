import type { Appraisal, CollateralSummary, QuoteClaims } from '#contracts';
import { Injectable } from '@nestjs/common';
import type { SessionClaims } from '../session/session-token.js';
import { useName } from './appraisal.js';
import { PlatformRegistry } from './platform-registry.js';
import { RevokedSessions } from './revoked-sessions.js';

/** How a session stands now. */
export interface Standing {
  /** The session was ended, and why. */
  readonly revoked?: { readonly code: string; readonly message: string };
  /** The claims of its evidence, with the platform's present state. */
  readonly claims: QuoteClaims;
  readonly collateral: CollateralSummary | undefined;
  /** When that was found, in milliseconds. */
  readonly appraisedAt: number | undefined;
  /** Its platform is appraised continuously; otherwise the session lives no longer than the token that it has. */
  readonly renewable: boolean;
}

/** Answers from memory: on the way of every later release. */
@Injectable()
export class SessionStandings {
  constructor(
    private readonly platforms: PlatformRegistry,
    private readonly sessions: RevokedSessions,
  ) {}

  of(session: SessionClaims): Standing {
    const { claims, collateral, appraisedAt } = session;
    const own = { claims, collateral, appraisedAt };
    const ended = this.sessions.find(session.tenant, session.session);
    if (ended !== undefined) {
      const message = `revoked at ${ended.revokedAt} by ${ended.actor}`;
      return { ...own, renewable: false, revoked: { code: 'SESSION_REVOKED', message } };
    }
    const platform =
      session.appraisalKey === undefined ? undefined : this.platforms.get(session.appraisalKey);
    const use = platform?.uses.get(useName(session.tenant, session.workload));
    if (platform === undefined || use === undefined || session.startedAt === undefined)
      return { ...own, renewable: false };
    const now = this.isNewer(platform.appraisal, session)
      ? {
          claims: withAppraisal(claims, platform.appraisal),
          collateral: platform.appraisal.collateral,
          appraisedAt: platform.at,
        }
      : own;
    if (use.revokedAt !== undefined && session.startedAt <= Date.parse(use.revokedAt)) {
      const message = `the platform fell below policy (${platform.appraisal.tcbStatus}); revoked at ${use.revokedAt}`;
      return { ...now, renewable: false, revoked: { code: 'SESSION_REVOKED', message } };
    }
    return { ...now, renewable: this.platforms.isFresh(platform) };
  }

  /** What the token says may rest on newer collateral than this replica knows of yet. */
  private isNewer(appraisal: Appraisal, { claims, collateral, appraisedAt }: SessionClaims): boolean {
    if (collateral === undefined || appraisedAt === undefined) return true;
    const { tcbStatus, advisoryIds } = claims;
    const own = { at: new Date(appraisedAt).toISOString(), tcbStatus, advisoryIds, collateral };
    return this.platforms.supersedes(appraisal, own);
  }
}

function withAppraisal(claims: QuoteClaims, appraisal: Appraisal): QuoteClaims {
  const {
    tcbDate: _date,
    platformStatus: _platform,
    qeStatus: _qe,
    moduleStatus: _module,
    ...enclave
  } = claims;
  const { at: _at, collateral: _collateral, refusal: _refusal, ...state } = appraisal;
  return { ...enclave, ...state } as QuoteClaims;
}
