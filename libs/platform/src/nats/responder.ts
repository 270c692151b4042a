import { asSiegelError, ERROR_HEADERS, SiegelError } from '#contracts';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { Server, type CustomTransportStrategy } from '@nestjs/microservices';
import {
  headers as natsHeaders,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  type Subscription,
} from '@nats-io/transport-node';
import { isObservable, lastValueFrom } from 'rxjs';
import { NATS_CONNECTION } from './connection.js';
import { Outbox } from './outbox.js';

export interface ResponderLimits {
  /** Requests in work at once; more are refused with OVERLOADED, so that memory stays bounded. */
  readonly maxInFlight: number;
}
export const RESPONDER_LIMITS = Symbol('RESPONDER_LIMITS');

/** What a handler returns that does not know the outcome: nobody is answered, and the caller's own deadline decides. */
export const NO_ANSWER = Symbol('NO_ANSWER');

/**
 * Nest's microservice transport for `@MessagePattern` handlers over plain NATS request/reply: the body is the payload and nothing
 * else, an error travels in headers, so that a client in any language can speak it. It shares the service's one connection.
 * A handler receives the raw bytes and answers bytes or a string. Closing drains: no new request is taken, those in work are answered.
 * A handler whose pattern has `onDemand: true` is subscribed by `open` alone, as only one of several replicas may answer.
 */
@Injectable()
export class NatsResponder extends Server implements CustomTransportStrategy {
  private readonly log = new Logger(NatsResponder.name);
  private readonly subscriptions: Subscription[] = [];
  private readonly demanded = new Map<string, { queue: string; subscription: Subscription | undefined }>();
  private listening = false;
  private closing = false;
  private readonly outbox = new Outbox();
  private inFlight = 0;
  private idle: (() => void) | undefined;

  constructor(
    @Inject(NATS_CONNECTION) private readonly nats: NatsConnection,
    @Inject(RESPONDER_LIMITS) private readonly limits: ResponderLimits,
  ) {
    super();
  }

  listen(callback: (error?: unknown) => void): void {
    for (const [subject, handler] of this.messageHandlers) {
      const { queue, onDemand } = (handler.extras ?? {}) as { queue?: string; onDemand?: boolean };
      if (!onDemand) this.subscriptions.push(this.subscribe(subject, queue));
    }
    this.listening = true;
    for (const [subject, demand] of this.demanded)
      demand.subscription = this.subscribe(subject, demand.queue);
    // The subscriptions must stand at the server before the service calls itself ready.
    this.nats.flush().then(() => callback(), callback);
  }

  /** Takes requests on the subject of an on-demand handler, from `listen` on at the earliest. */
  open(subject: string, queue: string): void {
    this.shut(subject);
    if (this.closing) return;
    const subscription = this.listening ? this.subscribe(subject, queue) : undefined;
    this.demanded.set(subject, { queue, subscription });
  }

  /** Takes no more of them; those in work are answered as their handler says. */
  shut(subject: string): void {
    this.demanded.get(subject)?.subscription?.unsubscribe();
    this.demanded.delete(subject);
  }

  async close(): Promise<void> {
    this.closing = true;
    const demanded = [...this.demanded.values()].flatMap(({ subscription }) => subscription ?? []);
    await Promise.all([...this.subscriptions, ...demanded].map((subscription) => subscription.drain()));
    if (this.inFlight > 0) await new Promise<void>((resolve) => (this.idle = resolve));
    this.outbox.flush();
    if (!this.nats.isClosed()) await this.nats.flush();
  }

  override on(): void {
    throw new Error('the responder has no events of its own; watch the NATS connection');
  }

  override unwrap<T>(): T {
    return this.nats as T;
  }

  private subscribe(subject: string, queue: string | undefined): Subscription {
    const handler = this.messageHandlers.get(subject) as unknown as (
      data: Uint8Array,
      message: Msg,
    ) => unknown;
    return this.nats.subscribe(subject, {
      ...(queue === undefined ? {} : { queue }),
      callback: (error, message) => {
        if (error) this.log.error(`subscription ${subject}: ${error.message}`);
        else void this.answer(handler, message);
      },
    });
  }

  private async answer(handler: (data: Uint8Array, message: Msg) => unknown, message: Msg): Promise<void> {
    if (this.inFlight >= this.limits.maxInFlight) return this.refuse(message, new SiegelError('OVERLOADED'));
    this.inFlight++;
    try {
      let result = await handler(message.data, message);
      if (isObservable(result)) result = await lastValueFrom(result);
      if (message.reply && result !== NO_ANSWER) this.respond(message, result as Uint8Array | string);
    } catch (error) {
      this.refuse(message, error);
    } finally {
      if (--this.inFlight === 0) this.idle?.();
    }
  }

  private refuse(message: Msg, thrown: unknown): void {
    const error = asSiegelError(thrown);
    if (error.code === 'INTERNAL')
      this.log.error({ msg: 'handler failed', subject: message.subject, err: error.cause ?? error });
    if (!message.reply) return;
    const reply = natsHeaders();
    reply.set(ERROR_HEADERS.code, error.code);
    reply.set(ERROR_HEADERS.detail, error.detail ?? '');
    this.respond(message, '', { headers: reply });
  }

  private respond(message: Msg, data: Uint8Array | string, options?: { headers: MsgHdrs }): void {
    this.outbox.push(() => {
      try {
        message.respond(data, options);
      } catch (failure) {
        this.log.warn(`could not answer on ${message.subject}: ${(failure as Error).message}`);
      }
    });
  }
}
