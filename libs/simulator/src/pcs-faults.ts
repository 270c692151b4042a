/** Which document a request asks for. */
export type PcsEndpoint =
  'tcb' | 'qe-identity' | 'pckcrl' | 'rootcacrl' | 'pckcert' | 'tcbevaluationdatanumbers' | 'fmspcs';

/**
 * What goes wrong:
 * - `slow`: the answer starts after `ms`; `stall`: headers and half of the body come, then nothing;
 * - `status`: an error status, with Retry-After in seconds (429, 503) where given;
 * - `wrong-chain`: the issuer chain of another, self-made PKI; `missing-chain`: no chain header;
 * - `wrong-signer`: a document whose signature is by another key; `expired`: documents of two years ago;
 * - `truncated`: half of the body with the full Content-Length; `cut-json`: half of the body, as if it were all;
 * - `garbage`: bytes that are no document; `oversized`: a body of `bytes` bytes; `reset`: the connection is cut.
 */
export type PcsFault =
  | { kind: 'slow'; ms: number }
  | { kind: 'stall' }
  | { kind: 'status'; status: number; retryAfterSeconds?: number }
  | { kind: 'wrong-chain' }
  | { kind: 'missing-chain' }
  | { kind: 'wrong-signer' }
  | { kind: 'expired' }
  | { kind: 'truncated' }
  | { kind: 'cut-json' }
  | { kind: 'garbage' }
  | { kind: 'oversized'; bytes: number }
  | { kind: 'reset' };

interface Scripted {
  endpoint: PcsEndpoint | '*';
  fault: PcsFault;
  left: number;
}

/** Faults that a test has asked for, each for one endpoint (or all) and a number of requests. */
export class FaultScript {
  private scripted: Scripted[] = [];

  /** From now on, `times` requests for the endpoint meet this fault (default: all that follow). */
  add(endpoint: PcsEndpoint | '*', fault: PcsFault, times = Infinity): void {
    this.scripted.push({ endpoint, fault, left: times });
  }

  clear(): void {
    this.scripted = [];
  }

  /** The first fault in order of scripting that still has a request left. */
  next(endpoint: PcsEndpoint): PcsFault | undefined {
    const found = this.scripted.find(
      (each) => each.left > 0 && (each.endpoint === '*' || each.endpoint === endpoint),
    );
    if (found === undefined) return undefined;
    found.left -= 1;
    return found.fault;
  }
}
