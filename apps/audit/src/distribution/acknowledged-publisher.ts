import {
  createInbox,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  type Subscription,
} from '@nats-io/transport-node';

/** JetStream did not take a message; the whole window is published again. */
export class PublishError extends Error {
  override readonly name = 'PublishError';

  constructor(
    message: string,
    /** The stream's last message is not the one that this was to follow. */
    readonly outOfOrder = false,
  ) {
    super(message);
  }
}

/** JetStream's code for a message whose `Nats-Expected-Last-Msg-Id` is not that of the last one. */
const WRONG_LAST_ID = 10_070;

export interface OutgoingMessage {
  subject: string;
  headers: MsgHdrs;
  data: Uint8Array;
}

/** Publishes windows of messages to JetStream with one subscription for all acknowledgements and one timer per window. */
export class AcknowledgedPublisher {
  readonly #prefix: string;
  readonly #subscription: Subscription;
  #window = 0;
  #waiting = 0;
  #seen = new Set<string>();
  #settle: ((error?: Error) => void) | undefined;

  constructor(private readonly nats: NatsConnection) {
    const { inboxPrefix } = (nats as unknown as { options?: { inboxPrefix?: string } }).options ?? {};
    this.#prefix = `${createInbox(inboxPrefix)}.`;
    this.#subscription = nats.subscribe(`${this.#prefix}>`, {
      callback: (_error, message) => this.#acknowledge(message),
    });
  }

  /**
   * Resolves when JetStream has acknowledged every message, which also covers those it recognised as repetitions.
   * @throws PublishError
   */
  async publish(messages: readonly OutgoingMessage[], timeoutMs: number): Promise<void> {
    const window = `${this.#prefix}${++this.#window}.`;
    this.#waiting = messages.length;
    this.#seen = new Set();
    let timer: NodeJS.Timeout | undefined;
    const done = new Promise<void>((resolve, reject) => {
      this.#settle = (error) => (error ? reject(error) : resolve());
      timer = setTimeout(() => reject(new PublishError('no acknowledgement in time')), timeoutMs);
    });
    try {
      messages.forEach(({ subject, headers, data }, i) => {
        this.nats.publish(subject, data, { headers, reply: `${window}${i}` });
      });
      await done;
    } catch (error) {
      done.catch(() => undefined);
      throw error instanceof PublishError ? error : new PublishError((error as Error).message);
    } finally {
      clearTimeout(timer);
      this.#settle = undefined;
    }
  }

  close(): void {
    this.#subscription.unsubscribe();
    this.#settle?.(new PublishError('closed'));
  }

  #acknowledge(message: Msg): void {
    const token = message.subject.slice(this.#prefix.length);
    if (!this.#settle || !token.startsWith(`${this.#window}.`) || this.#seen.has(token)) return;
    if (message.headers?.code === 503) return this.#settle(new PublishError('JetStream does not answer'));
    const { stream, error, code } = parseAck(message.data);
    if (stream === undefined)
      return this.#settle(new PublishError(error ?? 'not an acknowledgement', code === WRONG_LAST_ID));
    this.#seen.add(token);
    if (--this.#waiting === 0) this.#settle();
  }
}

function parseAck(data: Uint8Array): { stream?: string; error?: string; code?: number | undefined } {
  try {
    const ack = JSON.parse(Buffer.from(data).toString('utf8')) as {
      stream?: string;
      error?: { description?: string; err_code?: number };
    };
    return ack.error
      ? { error: ack.error.description ?? 'refused', code: ack.error.err_code }
      : typeof ack.stream === 'string'
        ? { stream: ack.stream }
        : {};
  } catch {
    return {};
  }
}
