/** One request that the fake answered (or broke). */
export interface LoggedRequest {
  /** Milliseconds, real clock. */
  readonly at: number;
  readonly requestId: string;
  readonly method: string;
  readonly host: string;
  readonly path: string;
  /** Permission of the route (`secrets/get`), or `token`, `imds`, `metadata`, `unknown`. */
  readonly action: string;
  readonly vault?: string;
  readonly clientId?: string;
  readonly status: number;
}

const MAX_ENTRIES = 200_000;

export class RequestLog {
  private entries: LoggedRequest[] = [];

  add(entry: LoggedRequest): void {
    if (this.entries.length >= MAX_ENTRIES) this.entries.splice(0, MAX_ENTRIES / 2);
    this.entries.push(entry);
  }

  all(): readonly LoggedRequest[] {
    return this.entries;
  }

  /** Requests of an action, without those that were only challenged for a token. */
  of(action: string): readonly LoggedRequest[] {
    return this.entries.filter((entry) => entry.action === action && entry.status !== 401);
  }

  clear(): void {
    this.entries = [];
  }
}
