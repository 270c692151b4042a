import type { AuditEvent, SignedEvent } from '#contracts';

/** One entry of `GET /v1/events`. */
export interface LoggedEvent extends SignedEvent {
  readonly position: number;
  readonly log: string;
  readonly index: number;
  readonly loggedAt: string;
}
interface Page {
  readonly events: LoggedEvent[];
  readonly next: string | null;
}

/** Reads the log's API as an operator does. */
export class EventLog {
  constructor(
    readonly url: string,
    private readonly token: string,
  ) {}

  /** All events that match, oldest first. */
  async all(filters: Record<string, string> = {}): Promise<LoggedEvent[]> {
    return (await this.page(filters, undefined)).events;
  }

  /** Whatever is logged from now on. */
  async tail(filters: Record<string, string> = {}): Promise<EventTail> {
    const { cursor } = await this.page(filters, undefined);
    return new EventTail(this, filters, cursor);
  }

  /** From a cursor to the present end. The service waits until its index has what was committed when it was asked. */
  async page(
    filters: Record<string, string>,
    from: string | undefined,
  ): Promise<{ events: LoggedEvent[]; cursor: string }> {
    const events: LoggedEvent[] = [];
    let cursor = from;
    for (;;) {
      const query = {
        order: 'oldest',
        limit: '500',
        ...filters,
        ...(cursor === undefined ? {} : { cursor }),
      };
      const response = await fetch(`${this.url}/v1/events?${new URLSearchParams(query).toString()}`, {
        headers: { authorization: `Bearer ${this.token}` },
        signal: AbortSignal.timeout(30_000),
      });
      if (!response.ok) throw new Error(`GET /v1/events: ${response.status} ${await response.text()}`);
      const page = (await response.json()) as Page;
      events.push(...page.events);
      if (page.next === null) throw new Error('a search for the oldest first has no end');
      if (page.events.length === 0) return { events, cursor: page.next };
      cursor = page.next;
    }
  }
}

export class EventTail {
  constructor(
    private readonly log: EventLog,
    private readonly filters: Record<string, string>,
    private cursor: string,
  ) {}

  /** What has been logged since the last call. */
  async next(): Promise<AuditEvent[]> {
    const { events, cursor } = await this.log.page(this.filters, this.cursor);
    this.cursor = cursor;
    return events.map(({ event }) => event);
  }
}
