import type { Decision } from '#policy';
import type { Standing } from '../appraisal/session-standing.js';
import type { SessionClaims } from '../session/session-token.js';

type Granted = Extract<Decision, { outcome: 'granted' }>;

/** What the next token says: the session as it was, its platform as it is. */
export function renewed(session: SessionClaims, { claims, collateral, appraisedAt }: Standing) {
  const { tokenId: _id, expiresAt: _expiry, thumbprint: _key, ...rest } = session;
  return {
    ...rest,
    claims,
    ...(collateral === undefined ? {} : { collateral }),
    ...(appraisedAt === undefined ? {} : { appraisedAt }),
  };
}

/** A shorter lifetime in the manifest in force holds for running sessions, a longer one does not. */
export function sessionEnd({ startedAt, endsAt, expiresAt }: SessionClaims, { grants }: Granted): Date {
  if (startedAt === undefined || endsAt === undefined) return expiresAt;
  return new Date(Math.min(endsAt, startedAt + grants.sessionLifetimeSeconds * 1_000));
}

export const earlier = (a: Date, b: Date): Date => (a < b ? a : b);

/** Seconds, at least one. */
export function tokenLifetime({ grants }: Granted, now: Date, until: Date): number {
  const left = Math.floor((until.getTime() - now.getTime()) / 1_000);
  return Math.max(1, Math.min(grants.tokenTtlSeconds, left));
}
