import { SiegelError } from '#contracts';
import { ReplayCache } from '#pki';
import type { KbsSession } from './kbs-session.js';
import type { Ticket } from './session-tickets.js';

/** Attempts that are remembered, until their tickets expire. */
const MAX_ATTEMPTS = 200_000;

/**
 * The sessions of this process. A ticket serves one attempt to attest: claiming it is one synchronous step, so that of two attempts at
 * once exactly one goes on. Sessions that have attested are kept until they expire; none is evicted for another.
 */
export class SessionStore {
  private readonly attempts = new ReplayCache({ maxEntries: MAX_ATTEMPTS });
  /** In the order of their attestation, which is about that of their end. */
  private readonly sessions = new Map<string, KbsSession>();

  constructor(private readonly maxSessions: number) {}

  get size(): number {
    return this.sessions.size;
  }

  /** @throws SiegelError CHALLENGE_REPLAYED for a ticket that was used; OVERLOADED */
  claim({ id, expiresAt }: Ticket, now: Date): void {
    this.sweep(now);
    if (this.sessions.size >= this.maxSessions) throw new SiegelError('OVERLOADED');
    const verdict = this.attempts.claim(id, expiresAt, now);
    if (verdict === 'fresh') return;
    if (verdict === 'full') throw new SiegelError('OVERLOADED');
    throw new SiegelError('CHALLENGE_REPLAYED', {
      detail: 'a session takes one attestation; begin with /auth',
      reason: { code: 'SESSION_ATTESTED_BEFORE', message: 'a second attestation for one session' },
    });
  }

  open(id: string, session: KbsSession): void {
    this.sessions.set(id, session);
  }

  find(id: string, tenant: string, now: Date): KbsSession | undefined {
    const session = this.sessions.get(id);
    if (session === undefined || session.tenant !== tenant) return undefined;
    if (session.expiresAt.getTime() > now.getTime()) return session;
    this.sessions.delete(id);
    return undefined;
  }

  /** Drops what has expired at the front; behind a session that lives longer than its neighbours it waits a little. */
  private sweep(now: Date): void {
    for (const [id, { expiresAt }] of this.sessions) {
      if (expiresAt.getTime() > now.getTime()) return;
      this.sessions.delete(id);
    }
  }
}
