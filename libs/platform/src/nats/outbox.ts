/** Messages that are worth a write of their own. */
const FULL = 8;

/**
 * Sends what one turn of the event loop produced in one go. The NATS client flushes its buffer per microtask, which under load is a
 * write (and a wake-up of the broker and of the receiver) per message; collected until the next `setImmediate`, messages share them.
 * A full outbox goes at once, so that the receiver works while a long turn goes on.
 */
export class Outbox {
  private queue: (() => void)[] = [];

  push(send: () => void): void {
    this.queue.push(send);
    if (this.queue.length >= FULL) this.flush();
    else if (this.queue.length === 1) setImmediate(() => this.flush());
  }

  /** Also called before a connection is drained, so that nothing stays behind. */
  flush(): void {
    const sending = this.queue;
    this.queue = [];
    for (const send of sending) send();
  }
}
