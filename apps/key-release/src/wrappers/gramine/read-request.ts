import type { Duplex } from 'node:stream';

export type RequestOutcome =
  | { readonly kind: 'request'; readonly bytes: Buffer }
  /** It went away before it had asked. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'timeout' };

/**
 * Waits for the first `length` bytes. More may arrive with them and are handed out as well, so that a caller that expects exactly
 * this much can refuse.
 */
export function readRequest(socket: Duplex, length: number, timeoutMs: number): Promise<RequestOutcome> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let size = 0;
    const finish = (outcome: RequestOutcome): void => {
      clearTimeout(timer);
      socket.off('data', onData).off('end', onGone).off('close', onGone);
      resolve(outcome);
    };
    const onData = (part: Buffer): void => {
      parts.push(part);
      size += part.length;
      if (size >= length) finish({ kind: 'request', bytes: Buffer.concat(parts) });
    };
    const onGone = (): void => finish({ kind: 'gone' });
    const timer = setTimeout(() => finish({ kind: 'timeout' }), timeoutMs);
    socket.on('data', onData).on('end', onGone).on('close', onGone);
  });
}
