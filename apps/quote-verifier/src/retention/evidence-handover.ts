import { EvidenceHandoverReply, SiegelError, SUBJECTS, type VerdictClaims } from '#contracts';
import type { NatsRequests } from '#platform';
import { setTimeout as delay } from 'node:timers/promises';
import { Counter, type Registry } from 'prom-client';

const MAX_WAITING = 1_024;
const MAX_WAITING_BYTES = 16 * 1024 * 1024;
const AT_ONCE = 4;
const TIMEOUT_MS = 2_000;
const ATTEMPTS = 4;
const FIRST_PAUSE_MS = 250;

export type HandedOver = 'off' | 'verified' | 'all';

export interface HandoverOptions {
  readonly requests: Pick<NatsRequests, 'request'>;
  /** The bundle of an epoch that is in force, by its id. */
  readonly bundle: (id: string) => object | undefined;
  readonly which: HandedOver;
  readonly registry: Registry;
  readonly warn: (message: string) => void;
  readonly firstPauseMs?: number;
}

/** What a reply to a request rested on. */
interface Judged {
  /** The request's own bytes. */
  readonly body: Uint8Array;
  /** The VerifyReply. */
  readonly reply: string;
}

/**
 * Hands evidence to the audit service behind the answer, never before it: a queue with a bound, few at a time, some attempts. What is
 * lost here the audit service misses when the event names it, and records.
 */
export class EvidenceHandover {
  private readonly queue: Judged[] = [];
  private waitingBytes = 0;
  private running = 0;
  private readonly lost: Counter<'why'>;

  constructor(private readonly options: HandoverOptions) {
    this.lost = new Counter({
      name: 'siegel_evidence_not_handed_over_total',
      help: 'Evidence that was not given to the audit service, by reason',
      labelNames: ['why'],
      registers: [options.registry],
    });
  }

  get waiting(): number {
    return this.queue.length;
  }

  /** Returns at once; nothing of it fails. */
  offer(body: Uint8Array, reply: string): void {
    if (this.options.which === 'off') return;
    if (this.queue.length >= MAX_WAITING || this.waitingBytes + body.length > MAX_WAITING_BYTES) {
      this.lost.inc({ why: 'queue-full' });
      return;
    }
    this.waitingBytes += body.length;
    this.queue.push({ body, reply });
    // The answer leaves first.
    if (this.running < AT_ONCE) {
      this.running++;
      setImmediate(() => void this.work());
    }
  }

  private async work(): Promise<void> {
    for (let next = this.queue.shift(); next; next = this.queue.shift()) {
      this.waitingBytes -= next.body.length;
      try {
        await this.handOver(next);
      } catch (error) {
        this.lost.inc({ why: error instanceof SiegelError ? error.code : 'no-answer' });
        this.options.warn(`evidence was not handed over: ${(error as Error).message}`);
      }
    }
    this.running--;
  }

  private async handOver({ body, reply }: Judged): Promise<void> {
    const { verified, collateral } = claimsOf(reply);
    if (!verified && this.options.which !== 'all') return;
    const { evidence } = JSON.parse(Buffer.from(body).toString('utf8')) as { evidence: string };
    const handed = { v: 1, evidence, ...(collateral === undefined ? {} : { collateral: collateral.id }) };
    const answer = await this.ask(SUBJECTS.auditEvidence, JSON.stringify(handed));
    const { collateralWanted } = EvidenceHandoverReply.parse(
      JSON.parse(Buffer.from(answer).toString('utf8')),
    );
    if (!collateralWanted || collateral === undefined) return;
    const bundle = this.options.bundle(collateral.id);
    if (bundle !== undefined)
      await this.ask(SUBJECTS.auditCollateral, JSON.stringify({ v: 1, id: collateral.id, bundle }));
  }

  private async ask(subject: string, body: string): Promise<Uint8Array> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.options.requests.request(subject, body, TIMEOUT_MS);
      } catch (error) {
        const hopeless = error instanceof SiegelError && !error.entry.retryable;
        if (hopeless || attempt === ATTEMPTS) throw error;
        // A process that ends does not wait for it.
        await delay((this.options.firstPauseMs ?? FIRST_PAUSE_MS) * 2 ** attempt, undefined, { ref: false });
      }
    }
  }
}

/** Of a verdict that we have just signed ourselves. */
function claimsOf(reply: string): Pick<VerdictClaims, 'verified' | 'collateral'> {
  const { verdict } = JSON.parse(reply) as { verdict: string };
  const payload = Buffer.from(verdict.split('.')[1] ?? '', 'base64url').toString('utf8');
  return JSON.parse(payload) as VerdictClaims;
}
