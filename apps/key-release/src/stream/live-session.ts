import { type AttestResponse, type ErrorCode, SiegelError } from '#contracts';
import type { PublicKey } from '#pki';
import type { ServerResponse } from 'node:http';
import type { SessionClaims } from '../session/session-token.js';

/** Bytes that may wait for a slow reader beside the one message that is being sent. */
const MAX_WAITING_BYTES = 64 * 1024;
/** How long a reader may take for what was sent. */
const MAX_STALL_MS = 30_000;
/** A token is renewed when this much of its life is left, at most. */
const RENEW_BEFORE_MS = 60_000;

/**
 * One live stream (text/event-stream) of a session. At most one release waits to be sent: what is newer replaces it, because a
 * release is whole. A reader that does not keep up is cut off, and resumes with the id of what it has.
 */
export class LiveSession {
  /** A release is being made. */
  busy = false;
  /** No sooner than that is another try made, in milliseconds since 1970. */
  notBefore = 0;
  failures = 0;
  /** Name of the release that the enclave has. */
  revision: string | undefined;
  /** Version, or code of refusal, of each granted object as last told to the enclave. */
  held = new Map<string, string>();
  /** What was seen of objects while a release was being made; it may have read them before. */
  readonly seenMeanwhile = new Map<string, string>();
  manifestVersion = 0;
  /** The end of this token was seen, and a renewal was tried. */
  renewedToken: string | undefined;
  private tokenFrom = Date.now();
  private lastWrite = Date.now();
  private stalledSince: number | undefined;
  private open = true;

  constructor(
    private claims: SessionClaims,
    readonly key: PublicKey,
    private readonly response: ServerResponse,
    onClose: () => void,
  ) {
    // It was closed before anybody listened for that: served, it would be read for, and logged, until its session ends.
    if (response.destroyed) {
      this.open = false;
      return;
    }
    response.on('close', () => {
      this.open = false;
      onClose();
    });
    response.on('drain', () => (this.stalledSince = undefined));
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    this.write('retry: 1000\n\n');
  }

  /** The session as the enclave's present token says it. */
  get session(): SessionClaims {
    return this.claims;
  }

  /** The enclave is about to have a newer token. */
  renew(session: SessionClaims): void {
    this.claims = session;
    this.tokenFrom = Date.now();
  }

  /** Whether the last quarter of the token's life, as far as it was seen here, has begun: of a long one its last minute. */
  tokenNearsEnd(now: number): boolean {
    const end = this.claims.expiresAt.getTime();
    return end - now < Math.min(RENEW_BEFORE_MS, (end - this.tokenFrom) / 4);
  }

  get isOpen(): boolean {
    return this.open;
  }

  /** Whether the reader has taken what was sent. */
  get isReady(): boolean {
    return this.open && !this.response.writableNeedDrain;
  }

  release(response: AttestResponse, revision: string): void {
    this.revision = revision;
    this.write(`id: ${revision}\nevent: release\ndata: ${JSON.stringify(response)}\n\n`);
  }

  /** The release is refused for the time being; the session goes on. */
  denied(error: SiegelError): void {
    this.revision = undefined;
    this.write(`event: denied\ndata: ${problem(error)}\n\n`);
  }

  /** The session is over: the enclave attests again, or is not wanted any more. */
  end(error: SiegelError): void {
    if (!this.open) return;
    this.write(`event: end\ndata: ${problem(error)}\n\n`);
    this.close();
  }

  /** Ends the stream without ending the session: the client comes back, here or to another replica. */
  close(): void {
    if (!this.open) return;
    this.open = false;
    this.response.end();
  }

  /** Shows that the line is alive, and cuts off who does not read. */
  tick(now: number, heartbeatMs: number): void {
    if (!this.open) return;
    if (this.response.writableNeedDrain) {
      this.stalledSince ??= now;
      if (now - this.stalledSince > MAX_STALL_MS) this.response.destroy();
    } else if (now - this.lastWrite >= heartbeatMs) {
      this.write(': still here\n\n');
    }
  }

  private write(text: string): void {
    if (!this.open) return;
    this.lastWrite = Date.now();
    if (this.response.writableLength > MAX_WAITING_BYTES) this.response.destroy();
    else this.response.write(text);
  }
}

const problem = (error: SiegelError): string => {
  const code: ErrorCode = error.code;
  return JSON.stringify({ code, title: error.entry.title, remedy: error.entry.remedy });
};
