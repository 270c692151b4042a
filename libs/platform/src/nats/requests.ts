import { ERROR_HEADERS, errorFromWire } from '#contracts';
import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import { NATS_CONNECTION } from './connection.js';
import { Outbox } from './outbox.js';

export type RequestFailure = 'timeout' | 'no-responders' | 'disconnected' | 'overloaded';

/** The request got no answer at all. A refusal by the responder is a SiegelError instead. */
export class NatsRequestError extends Error {
  override readonly name = 'NatsRequestError';
  constructor(
    readonly kind: RequestFailure,
    readonly subject: string,
  ) {
    super(`${subject}: ${kind}`);
  }
}

interface Waiter {
  readonly subject: string;
  readonly deadline: number;
  resolve(data: Uint8Array): void;
  reject(error: Error): void;
}

const SWEEP_MS = 50;
const MAX_WAITERS = 65_536;

/**
 * Request/reply over one subscription for all requests of this process: no SUB/UNSUB, no timer and no stack capture per call
 * (measured at half the client CPU of `nc.request`; docs/decisions/0002-nats-request-mux.md). Every waiter ends: by its reply,
 * by the deadline sweep, or at once when the connection is lost, because replies to the old connection never come.
 */
@Injectable()
export class NatsRequests implements OnModuleInit, OnModuleDestroy {
  private readonly waiters = new Map<string, Waiter>();
  private readonly outbox = new Outbox();
  private prefix = '';
  private counter = 0;
  private subscription: Subscription | undefined;
  private sweeper: NodeJS.Timeout | undefined;
  private connected = true;

  constructor(@Inject(NATS_CONNECTION) private readonly nats: NatsConnection) {}

  onModuleInit(): void {
    this.start();
  }

  /** Also for use outside Nest (CLI, tests). */
  start(): this {
    if (this.subscription) return this;
    // createInbox honours the inboxPrefix of the connection, which the user's permissions are bound to.
    this.prefix = `${this.inbox()}.`;
    this.subscription = this.nats.subscribe(`${this.prefix}*`, {
      callback: (_error, message) => this.settle(message),
    });
    this.sweeper = setInterval(() => this.sweep(Date.now()), SWEEP_MS);
    this.sweeper.unref();
    void this.watchConnection();
    return this;
  }

  onModuleDestroy(): void {
    clearInterval(this.sweeper);
    this.subscription?.unsubscribe();
    this.failAll('disconnected');
  }

  get isConnected(): boolean {
    return this.connected && !this.nats.isClosed();
  }

  request(subject: string, data: Uint8Array | string, timeoutMs: number): Promise<Uint8Array> {
    if (!this.isConnected) return Promise.reject(new NatsRequestError('disconnected', subject));
    if (this.waiters.size >= MAX_WAITERS) return Promise.reject(new NatsRequestError('overloaded', subject));
    const token = (this.counter++).toString(36);
    return new Promise((resolve, reject) => {
      this.waiters.set(token, { subject, deadline: Date.now() + timeoutMs, resolve, reject });
      this.outbox.push(() => {
        try {
          this.nats.publish(subject, data, { reply: this.prefix + token });
        } catch (error) {
          this.waiters.delete(token);
          reject(error instanceof Error ? error : new NatsRequestError('disconnected', subject));
        }
      });
    });
  }

  private inbox(): string {
    const prefix =
      (this.nats as unknown as { options?: { inboxPrefix?: string } }).options?.inboxPrefix ?? '_INBOX';
    return `${prefix}.${crypto.randomUUID().replaceAll('-', '')}`;
  }

  private settle(message: Msg): void {
    const token = message.subject.slice(this.prefix.length);
    const waiter = this.waiters.get(token);
    if (!waiter) return;
    this.waiters.delete(token);
    const headers = message.headers;
    if (headers) {
      if (headers.code === 503) return waiter.reject(new NatsRequestError('no-responders', waiter.subject));
      const code = headers.get(ERROR_HEADERS.code);
      if (code) return waiter.reject(errorFromWire(code, headers.get(ERROR_HEADERS.detail)));
    }
    waiter.resolve(message.data);
  }

  private sweep(now: number): void {
    for (const [token, waiter] of this.waiters) {
      if (waiter.deadline <= now) {
        this.waiters.delete(token);
        waiter.reject(new NatsRequestError('timeout', waiter.subject));
      }
    }
  }

  private failAll(kind: RequestFailure): void {
    const waiting = [...this.waiters.values()];
    this.waiters.clear();
    for (const waiter of waiting) waiter.reject(new NatsRequestError(kind, waiter.subject));
  }

  private async watchConnection(): Promise<void> {
    for await (const status of this.nats.status()) {
      if (status.type === 'disconnect' || status.type === 'staleConnection') {
        this.connected = false;
        this.failAll('disconnected');
      } else if (status.type === 'reconnect') {
        this.connected = true;
      }
    }
    this.connected = false;
    this.failAll('disconnected');
  }
}
