import {
  AppendReply,
  type AuditEvent,
  MAX_EVENT_BYTES,
  SiegelError,
  SUBJECTS,
  type LogPromise,
} from '#contracts';
import type { NatsRequests } from '#platform';
import { NatsRequestError } from '#platform';
import { PromiseVerifier, TransparencyError, type PromiseKey } from '#transparency';
import { randomUUID } from 'node:crypto';
import { eventId } from './event-id.js';
import { signedEntry, type EmitterKey } from './signing.js';

type WithoutEnvelope<T> = T extends AuditEvent ? Omit<T, 'v' | 'id' | 'time' | 'emitter'> : never;
/** What a service says; the emitter adds id, time and number. */
export type EventDraft = WithoutEnvelope<AuditEvent>;

export interface RecordedEvent {
  readonly id: string;
  readonly time: string;
  readonly promise: LogPromise;
}

export interface EmitterOptions {
  readonly name: string;
  readonly instance: string;
  readonly key: EmitterKey;
  readonly logs: readonly PromiseKey[];
  /** The origin line of a tenant's log: a promise of any other log is refused. */
  readonly originOf: (tenant: string) => string;
  readonly timeoutMs?: number;
  readonly retryMs?: number;
  readonly maxBacklog?: number;
  readonly onError?: (message: string) => void;
}

interface Pending {
  readonly tenant: string;
  readonly entry: Buffer;
}

/**
 * Hands signed, numbered events to the audit log and returns only with the log's verified promise ("audit before release").
 *
 * An event whose promise did not arrive in time keeps its number and is sent again, in order, until the log has it: the log
 * answers a repetition with the same promise, so nothing is lost or doubled and no gap is left. Meanwhile `available` is false and
 * callers refuse new work before it costs anything; the backlog is bounded.
 */
export class AuditEmitter {
  readonly epoch = randomUUID();
  private seq = 0;
  private readonly backlog = new Map<number, Pending>();
  private retrying = false;
  private closed = false;
  private readonly promises: PromiseVerifier;
  private readonly timeoutMs: number;
  private readonly retryMs: number;
  private readonly maxBacklog: number;

  constructor(
    private readonly requests: Pick<NatsRequests, 'request'>,
    private readonly options: EmitterOptions,
  ) {
    this.promises = new PromiseVerifier(options.logs);
    this.timeoutMs = options.timeoutMs ?? 2_000;
    this.retryMs = options.retryMs ?? 200;
    this.maxBacklog = options.maxBacklog ?? 1_024;
  }

  /** False while events wait for their promise: whoever must not act unlogged need not begin. */
  get available(): boolean {
    return this.backlog.size === 0;
  }

  /**
   * @throws SiegelError AUDIT_UNAVAILABLE, AUDIT_BACKPRESSURE, AUDIT_PROMISE_INVALID: nothing may be released; AUDIT_EVENT_INVALID for
   *   what no entry can be made of
   */
  async record(draft: EventDraft): Promise<RecordedEvent> {
    if (this.closed || this.backlog.size >= this.maxBacklog) throw new SiegelError('AUDIT_UNAVAILABLE');
    const now = Date.now();
    const id = eventId(now);
    const time = new Date(now).toISOString();
    const seq = ++this.seq;
    const event = {
      ...bounded(draft),
      v: 1,
      id,
      time,
      emitter: { name: this.options.name, instance: this.options.instance, epoch: this.epoch, seq },
    } as AuditEvent;
    let entry: Buffer;
    try {
      entry = signedEntry(event, this.options.key);
      if (entry.length > MAX_EVENT_BYTES) throw new RangeError('it is larger than a log entry may be');
    } catch (cause) {
      // A number that no entry has would show as an event that somebody took away.
      this.seq--;
      throw new SiegelError('AUDIT_EVENT_INVALID', {
        detail: 'no log entry can be made of the event',
        cause,
      });
    }
    const pending = { tenant: draft.tenant, entry };
    try {
      return { id, time, promise: await this.append(pending) };
    } catch (error) {
      const explained = this.explain(error);
      // What the log refuses for good is not sent again; its missing number is for the log to report.
      if (explained.entry.retryable) this.keep(seq, pending);
      else this.options.onError?.(`event ${seq} was refused: ${explained.code}`);
      throw asOutage(explained);
    }
  }

  /** Stops retrying; events without a promise are reported, as their releases were refused. */
  async close(): Promise<void> {
    if (this.backlog.size > 0) await this.retry();
    this.closed = true;
    if (this.backlog.size > 0)
      this.options.onError?.(`${this.backlog.size} events without a promise at shutdown`);
  }

  private async append({ tenant, entry }: Pending): Promise<LogPromise> {
    const data = await this.requests.request(SUBJECTS.auditAppend, entry, this.timeoutMs);
    const { promise } = AppendReply.parse(JSON.parse(Buffer.from(data).toString('utf8')));
    if (promise.log !== this.options.originOf(tenant)) {
      throw new SiegelError('AUDIT_PROMISE_INVALID', {
        reason: { code: 'LOG_FOREIGN', message: 'the promise is of another log' },
      });
    }
    this.promises.verify(promise, entry);
    return promise;
  }

  private keep(seq: number, pending: Pending): void {
    this.backlog.set(seq, pending);
    if (!this.retrying && !this.closed) {
      this.retrying = true;
      setTimeout(() => void this.retryLoop(), this.retryMs).unref();
    }
  }

  private async retryLoop(): Promise<void> {
    await this.retry();
    if (this.backlog.size > 0 && !this.closed) setTimeout(() => void this.retryLoop(), this.retryMs).unref();
    else this.retrying = false;
  }

  /** In order of their numbers, one at a time: the log sees no reordering that was not already there. */
  private async retry(): Promise<void> {
    for (const seq of [...this.backlog.keys()].sort((a, b) => a - b)) {
      const pending = this.backlog.get(seq);
      if (!pending) continue;
      try {
        await this.append(pending);
        this.backlog.delete(seq);
      } catch (error) {
        if (this.explain(error).entry.retryable) return;
        this.backlog.delete(seq);
        this.options.onError?.(`event ${seq} was refused: ${(error as Error).message}`);
      }
    }
  }

  private explain(error: unknown): SiegelError {
    if (error instanceof SiegelError) return error;
    if (error instanceof NatsRequestError) {
      return new SiegelError('AUDIT_UNAVAILABLE', {
        reason: { code: error.kind, message: error.message },
        cause: error,
      });
    }
    if (error instanceof TransparencyError) {
      return new SiegelError('AUDIT_PROMISE_INVALID', {
        reason: { code: error.code, message: error.message },
        cause: error,
      });
    }
    return new SiegelError('AUDIT_PROMISE_INVALID', { cause: error });
  }
}

/** Bounds of the envelope (`Reason`): reasons quote what callers send, and an event beyond them is refused by the log. */
function bounded(draft: EventDraft): EventDraft {
  const { reason } = draft;
  if (!reason || (reason.code.length <= 64 && reason.message.length <= 1_000)) return draft;
  return {
    ...draft,
    reason: { code: reason.code.slice(0, 64), message: reason.message.slice(0, 1_000) },
  };
}

/**
 * What came over the broker is nobody's decision about an enclave: a refusal by the log, forged or not, must not become a denial that
 * this service signs.
 */
function asOutage(error: SiegelError): SiegelError {
  if (error.entry.http >= 500) return error;
  return new SiegelError('AUDIT_UNAVAILABLE', {
    reason: { code: error.code, message: `the log refused the event: ${error.message}`.slice(0, 1_000) },
    cause: error,
  });
}
