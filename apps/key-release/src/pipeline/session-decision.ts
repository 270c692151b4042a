import { decide, type Decision } from '#policy';
import type { Standing } from '../appraisal/session-standing.js';
import type { ActiveManifest } from '../manifests/active-manifest.js';
import type { SessionClaims } from '../session/session-token.js';
import { attestedClaims } from './attested-claims.js';
import { Denial } from './denial.js';
import { sessionEnd } from './session-life.js';

export interface SessionDecision {
  readonly manifest: ActiveManifest;
  readonly decision: Extract<Decision, { outcome: 'granted' }>;
  /** When the session ends, whatever happens. */
  readonly ends: Date;
}

/**
 * Whether a session may have its release now: it is not revoked or over, and the manifest in force grants what its platform is now.
 * Reads and logs nothing. @throws Denial
 */
export function decideAgain(
  session: SessionClaims,
  standing: Standing,
  manifest: ActiveManifest | undefined,
  now: Date,
): SessionDecision {
  if (standing.revoked) throw Denial.of('SESSION_REVOKED', standing.revoked);
  if (!manifest)
    throw Denial.of('MANIFEST_MISSING', { code: 'MANIFEST_MISSING', message: 'no manifest is in force' });
  const claims = attestedClaims(standing.claims, standing.collateral);
  const { customClaims } = session;
  const decision = decide(manifest.compiled, {
    claims: customClaims ? { ...claims, customClaims } : claims,
    workloadHint: session.workload,
    binding: { convention: session.binding as never, challenge: session.challenge },
    now,
  });
  if (decision.outcome === 'denied') throw Denial.fromDecision(decision);
  // A platform that nobody watches serves no longer than the token that its evidence brought.
  if (!standing.renewable && session.expiresAt.getTime() <= now.getTime())
    throw Denial.of('TOKEN_EXPIRED', {
      code: 'SESSION_NOT_WATCHED',
      message: 'the platform is not appraised continuously, and the token of its evidence is over',
    });
  const ends = sessionEnd(session, decision);
  if (ends.getTime() <= now.getTime())
    throw Denial.of('SESSION_ENDED', {
      code: 'SESSION_ENDED',
      message: `the session ended at ${ends.toISOString()}`,
    });
  return { manifest, decision, ends };
}
