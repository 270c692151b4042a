import { TrustFile } from '#contracts';
import { PromiseVerifier } from '#transparency';
import canonicalize from 'canonicalize';
import { createPublicKey, verify, type JsonWebKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { LoggedEvent } from './event-tail.js';

/** The bytes of a log entry: canonical JSON (RFC 8785) of event, kid and signature. */
export const entryBytes = ({ event, kid, sig }: LoggedEvent): Buffer =>
  Buffer.from(canonicalize({ event, kid, sig })!);

/** A relying party's checks with nothing but the trust file: no service is asked. */
export class OfflineChecks {
  private readonly trust: TrustFile;
  readonly promises: PromiseVerifier;

  constructor(trustFile: string) {
    this.trust = TrustFile.parse(JSON.parse(readFileSync(trustFile, 'utf8')));
    this.promises = new PromiseVerifier(
      this.trust.logs.map(({ origin, jwk }) => ({ origin, kid: jwk.kid, publicKey: imported(jwk) })),
    );
  }

  /** Whether the event bears the signature of the emitter that it names. */
  signedByEmitter({ event, kid, sig }: LoggedEvent): boolean {
    const emitter = this.trust.emitters.find(({ jwk }) => jwk.kid === kid);
    return (
      emitter?.name === event.emitter.name &&
      verify(null, Buffer.from(canonicalize(event)!), imported(emitter.jwk), Buffer.from(sig, 'base64url'))
    );
  }
}

const imported = (jwk: object) => createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });

/** Numbers that occur twice and numbers that are missing below the highest, over all runs of all emitters. */
export function numberingFaults(events: readonly LoggedEvent[]): { doubled: string[]; missing: string[] } {
  const runs = new Map<string, number[]>();
  for (const { event } of events) {
    const { name, instance, epoch, seq } = event.emitter;
    const run = `${name}/${instance}/${epoch}`;
    runs.set(run, [...(runs.get(run) ?? []), seq]);
  }
  const doubled: string[] = [];
  const missing: string[] = [];
  for (const [run, numbers] of runs) {
    const seen = new Set<number>();
    for (const number of numbers) {
      if (seen.has(number)) doubled.push(`${run} ${number}`);
      seen.add(number);
    }
    for (let number = 1; number < Math.max(...numbers); number++)
      if (!seen.has(number)) missing.push(`${run} ${number}`);
  }
  return { doubled, missing };
}
