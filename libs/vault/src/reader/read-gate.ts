import type { Clock } from '../clock.js';
import { VaultError } from '../errors.js';
import { retryDelayMs, ThrottleBackOff } from './back-off.js';
import { CircuitBreaker, type CircuitState } from './circuit-breaker.js';
import type { ReaderSettings } from './reader-options.js';
import { TokenBucket } from './token-bucket.js';

/** One try at a read. */
export interface Attempt<T> {
  readonly value: T;
  /** Monotonic milliseconds at which it was sent. */
  readonly sentAt: number;
}

export interface GateObserver {
  /** An attempt is about to be sent. */
  sent(at: number): void;
  /** An attempt failed, or must wait, because the vault cannot answer now. */
  failed(error: VaultError): void;
}

/** Everything that stands between a read and the vault: back-off after 429, budget, circuit breaker, retries. */
export class ReadGate {
  private readonly bucket: TokenBucket;
  private readonly breaker: CircuitBreaker;
  private readonly backOff: ThrottleBackOff;
  private count = { reads: 0, throttled: 0, failed: 0 };

  constructor(
    private readonly vault: string,
    private readonly settings: ReaderSettings,
    private readonly clock: Clock,
    private readonly random: () => number,
  ) {
    const { failures, openSeconds, maxOpenSeconds } = settings.breaker;
    this.bucket = new TokenBucket(settings.readsPer10Seconds, clock);
    this.breaker = new CircuitBreaker(
      { failures, openMs: openSeconds * 1_000, maxOpenMs: maxOpenSeconds * 1_000 },
      clock,
    );
    this.backOff = new ThrottleBackOff(clock, random);
  }

  get state(): CircuitState {
    return this.breaker.state;
  }

  get counts(): { readonly reads: number; readonly throttled: number; readonly failed: number } {
    return this.count;
  }

  /** Whether a read that is sent now would have to wait or fail. */
  get holding(): boolean {
    return this.backOff.remainingMs() > 0 || this.breaker.state === 'open';
  }

  /**
   * Tries a read until it succeeds, is refused, or the time is up.
   * @throws VaultError
   */
  async run<T>(
    read: (signal: AbortSignal) => Promise<T>,
    closing: AbortSignal,
    observer: GateObserver,
  ): Promise<Attempt<T>> {
    const deadline = this.clock.monotonic() + this.settings.readTimeoutSeconds * 1_000;
    for (let attempt = 0; ; attempt++) {
      await this.admission(deadline, closing, observer);
      const sentAt = this.clock.monotonic();
      observer.sent(sentAt);
      this.count.reads++;
      try {
        const value = await read(closing);
        this.backOff.succeeded();
        this.breaker.succeeded();
        return { value, sentAt };
      } catch (error) {
        if (!(error instanceof VaultError)) {
          this.breaker.failed(String(error));
          throw error;
        }
        this.learn(error, sentAt);
        if (!error.outage) throw error;
        observer.failed(error);
        if (attempt + 1 >= this.settings.maxAttempts) throw error;
        // After 429 the back-off of the whole vault says how long; it is awaited on admission.
        const delay = error.code === 'VAULT_THROTTLED' ? 0 : retryDelayMs(attempt, this.random);
        if (this.clock.monotonic() + delay >= deadline) throw error;
        if (delay > 0) await this.pause(delay, closing);
      }
    }
  }

  private async admission(deadline: number, closing: AbortSignal, observer: GateObserver): Promise<void> {
    for (let reserved = false; ;) {
      if (closing.aborted)
        throw new VaultError('VAULT_CLOSED', `vault "${this.vault}" is closed`, { vault: this.vault });
      const left = deadline - this.clock.monotonic();
      const held = this.backOff.remainingMs();
      if (held > 0) {
        await this.wait(
          held,
          left,
          'VAULT_THROTTLED',
          'the vault is throttling; reads are held back',
          closing,
          observer,
        );
        continue;
      }
      if (this.breaker.state === 'open') throw this.circuitOpen(this.breaker.admit());
      const wait = reserved ? 0 : this.bucket.reserve(left);
      reserved = true;
      if (wait !== 0) {
        await this.wait(
          Math.abs(wait),
          left,
          'VAULT_BUDGET_EXHAUSTED',
          'the budget of reads is spent',
          closing,
          observer,
        );
        continue;
      }
      const open = this.breaker.admit();
      if (open > 0) throw this.circuitOpen(open);
      return;
    }
  }

  private async wait(
    ms: number,
    left: number,
    code: 'VAULT_THROTTLED' | 'VAULT_BUDGET_EXHAUSTED',
    why: string,
    closing: AbortSignal,
    observer: GateObserver,
  ): Promise<void> {
    const error = this.holdError(code, why, ms);
    observer.failed(error);
    if (ms > left) throw error;
    await this.pause(ms, closing);
  }

  private learn(error: VaultError, sentAt: number): void {
    const answered = error.details.httpStatus !== undefined || /^(SECRET|CERTIFICATE|KEY)_/.test(error.code);
    if (error.code === 'VAULT_THROTTLED') {
      this.count.throttled++;
      this.backOff.throttled(sentAt, error.details.retryAfterMs);
      this.breaker.succeeded();
    } else if (answered && !error.outage) {
      this.breaker.succeeded();
    } else {
      this.count.failed++;
      this.breaker.failed(`${error.code}: ${error.message}`);
    }
  }

  private async pause(ms: number, closing: AbortSignal): Promise<void> {
    try {
      await this.clock.sleep(ms, closing);
    } catch {
      throw new VaultError('VAULT_CLOSED', `vault "${this.vault}" is closed`, { vault: this.vault });
    }
  }

  private circuitOpen(retryAfterMs: number): VaultError {
    return this.holdError(
      'VAULT_CIRCUIT_OPEN',
      `requests are held back after ${this.breaker.reason}`,
      retryAfterMs,
    );
  }

  private holdError(
    code: 'VAULT_THROTTLED' | 'VAULT_BUDGET_EXHAUSTED' | 'VAULT_CIRCUIT_OPEN',
    why: string,
    retryAfterMs: number,
  ): VaultError {
    return new VaultError(code, `vault "${this.vault}": ${why}`, { vault: this.vault, retryAfterMs });
  }
}
