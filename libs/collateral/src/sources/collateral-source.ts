import type { CollateralBundle } from '#dcap';
import type { CollateralKey } from '../collateral-key.js';
import type { Edition } from '../edition.js';

/** What a platform's quote says about its PCK certificate where it does not carry it (certification data 1 to 3). */
export interface PckQuery {
  /** QE ID, 16 bytes hex. */
  readonly qeId: string;
  /** Encrypted PPID, hex; empty where the quote has the PPID in the clear. */
  readonly encryptedPpid: string;
  readonly cpuSvn: string;
  /** 2 bytes, hex, little-endian as in the quote and as PCS wants it. */
  readonly pceSvn: string;
  readonly pceId: string;
}

export type SourceFailureKind =
  | 'unreachable'
  | 'timeout'
  | 'not-found'
  | 'throttled'
  | 'refused'
  | 'server-error'
  | 'redirected'
  | 'too-large'
  | 'malformed'
  | 'unsupported';

/** A source did not give what was asked of it. The message names the source and what it did, never a body. */
export class SourceError extends Error {
  override readonly name = 'SourceError';
  /** How long the source asked to be left alone, in seconds. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    readonly source: string,
    readonly kind: SourceFailureKind,
    message: string,
    options: { retryAfterSeconds?: number | undefined; cause?: unknown } = {},
  ) {
    super(`${source}: ${message}`, options.cause === undefined ? {} : { cause: options.cause });
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/**
 * Where collateral comes from. A source is not trusted: whatever it gives is verified before it is used. It answers with
 * bundles in the order in which they should be tried (HTTP sources have one), or throws SourceError.
 */
export interface CollateralSource {
  readonly name: string;
  /** Belongs to this replica: asking costs nothing, and what it has is not for others. */
  readonly local?: boolean;
  fetch(key: CollateralKey, edition: Edition, signal: AbortSignal): Promise<readonly CollateralBundle[]>;
  /** PCK certificate chain (PEM, leaf first) for certification data 1 to 3; absent where the source cannot tell. */
  pckChain?(query: PckQuery, signal: AbortSignal): Promise<string>;
  /** Calls when what it has may have changed; for sources that learn of it by themselves. */
  onChange?(listener: () => void): void;
  close(): Promise<void>;
}
