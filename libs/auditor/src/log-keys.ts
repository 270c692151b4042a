import {
  ed25519Verifier,
  formatVerifierKey,
  type NoteVerifier,
  openSuccession,
  peekSuccession,
  type PromiseKey,
  rawEd25519,
  TransparencyError,
} from '#transparency';
import { hash, type KeyObject } from 'node:crypto';
import { type Fraud, fraud } from './fraud.js';

/** Keys that one log may have had behind the pinned one. */
const MAX_KEYS = 64;

interface LogKey {
  readonly vkey: string;
  readonly verifier: NoteVerifier;
  readonly promise: PromiseKey;
}

/**
 * The keys of one log that an auditor believes: the pinned one, and what follows it by an unbroken chain of successions, each signed by
 * the key before. Nothing else makes a key the log's: no trust file, no operator, no newer checkpoint.
 */
export class LogKeys {
  private readonly keys: LogKey[];
  /** The accepted successions, in their order. */
  readonly successions: string[] = [];
  /** Place in the chain of the key that must sign now: an announced key leaves nothing to the ones before it. */
  private required = 0;

  constructor(
    readonly origin: string,
    pinned: KeyObject,
  ) {
    this.keys = [this.keyOf(pinned)];
  }

  /** Of the pinned key first. */
  get verifiers(): readonly NoteVerifier[] {
    return this.keys.map(({ verifier }) => verifier);
  }

  get promiseKeys(): readonly PromiseKey[] {
    return this.keys.map(({ promise }) => promise);
  }

  /** Verifier key of the last key of the chain. */
  get newest(): string {
    return this.keys.at(-1)!.vkey;
  }

  /**
   * Takes a succession as a log shows it: the fraud that it proves, if any. One of a key that is not in the chain, which may lie before
   * the pinned one, is left aside and makes nothing believed.
   */
  learn(note: string): Fraud | undefined {
    try {
      const { vkey, signers, origin } = peekSuccession(note);
      const at = this.keys.findIndex(({ verifier }) => signers.includes(verifier.keyId));
      if (at < 0 || origin !== this.origin) return undefined;
      openSuccession(note, this.origin, this.keys[at]!.verifier);
      const follower = this.keys[at + 1];
      if (follower?.vkey === vkey) return undefined;
      if (follower || this.keys.some((known) => known.vkey === vkey))
        return fraud('forked', `a key of ${this.origin} names two different successors`);
      if (this.keys.length >= MAX_KEYS) return fraud('forged', `${this.origin} changes its key without end`);
      this.keys.push(this.keyOf(peekSuccession(note).publicKey));
      this.successions.push(note);
      return undefined;
    } catch (error) {
      if (!(error instanceof TransparencyError)) throw error;
      return fraud('forged', `a succession of the key of ${this.origin} does not hold: ${error.message}`);
    }
  }

  /** A verified checkpoint covers the announcement of this succession: from now on its key, or a later one, must sign. */
  announced(note: string): void {
    const at = this.successions.indexOf(note);
    if (at >= 0) this.required = Math.max(this.required, at + 1);
  }

  /** One of these keys (key ids) signed what counts: none before it counts alone any more. */
  signedBy(keyIds: readonly string[]): void {
    const at = this.keys.findLastIndex(({ verifier }) => keyIds.includes(verifier.keyId));
    this.required = Math.max(this.required, at);
  }

  /** Whether one of the keys that may still sign is among these (key ids). */
  maySign(keyIds: readonly string[]): boolean {
    return this.keys.slice(this.required).some(({ verifier }) => keyIds.includes(verifier.keyId));
  }

  private keyOf(publicKey: KeyObject): LogKey {
    const { origin } = this;
    return {
      vkey: formatVerifierKey(origin, publicKey),
      verifier: ed25519Verifier(origin, publicKey),
      promise: { origin, kid: thumbprint(publicKey), publicKey },
    };
  }
}

/** RFC 7638 thumbprint of an Ed25519 key: the key id of promises. */
function thumbprint(key: KeyObject): string {
  const x = rawEd25519(key).toString('base64url');
  return hash('sha256', `{"crv":"Ed25519","kty":"OKP","x":"${x}"}`, 'base64url');
}
