import type { AuditEvent } from '#contracts';
import canonicalize from 'canonicalize';
import { type KeyObject, randomBytes, sign } from 'node:crypto';
import type { Anomaly } from './anomalies.js';

/** What the audit service says of itself; everything else of the event is filled in when it is sequenced. */
export type OwnStatement = Pick<AuditEvent, 'type' | 'tenant' | 'outcome' | 'data'> &
  Pick<AuditEvent, 'reason'>;

/**
 * The audit service as an emitter: signs and numbers its own events like every other emitter does. It lives in the
 * committer thread, which therefore loads neither libs/emitter nor the Nest behind it.
 */
export class OwnEmitter {
  readonly epoch = randomBytes(16).toString('base64url');
  /** Number of the next event. Set back by the caller when a transaction was rolled back. */
  seq = 1;

  constructor(
    readonly name: string,
    private readonly kid: string,
    private readonly instance: string,
    private readonly privateKey: KeyObject,
  ) {}

  /** The canonical signed event: the log's entry. */
  entry(statement: OwnStatement, now: number): Buffer {
    const event = {
      v: 1,
      id: uuidV7(now),
      time: new Date(now).toISOString(),
      emitter: { name: this.name, instance: this.instance, epoch: this.epoch, seq: this.seq++ },
      ...statement,
    } as AuditEvent;
    const canonical = canonicalize(event)!;
    const sig = sign(null, Buffer.from(canonical), this.privateKey).toString('base64url');
    return Buffer.from(`{"event":${canonical},"kid":${JSON.stringify(this.kid)},"sig":"${sig}"}`);
  }
}

/** A UUID version 7 (RFC 9562 section 5.7): sorts by time, so that the index over ids grows at its end. */
function uuidV7(milliseconds: number): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(milliseconds, 0, 6);
  bytes[6] = (bytes[6]! & 0x0f) | 0x70;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** The event that records an anomaly. */
export function anomalyStatement({
  kind,
  tenant,
  reason,
  emitter,
  epoch,
  ...numbers
}: Anomaly): OwnStatement {
  return {
    type: `log.${kind}`,
    tenant,
    outcome: 'alert',
    reason,
    data: {
      emitter,
      epoch,
      count: numbers.count,
      ...(numbers.seq === undefined ? {} : { seq: numbers.seq }),
      ...(numbers.expectedSeq === undefined ? {} : { expectedSeq: numbers.expectedSeq }),
    },
  };
}
