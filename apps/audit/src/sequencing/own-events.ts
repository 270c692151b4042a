import type { AuditEvent } from '#contracts';
import { eventId, signedEntry } from '#emitter';
import { type KeyObject, randomBytes, sign } from 'node:crypto';
import type { Anomaly } from './anomalies.js';

/** What the audit service says of itself; everything else of the event is filled in when it is sequenced. */
export type OwnStatement = Pick<AuditEvent, 'type' | 'tenant' | 'outcome' | 'data'> &
  Pick<AuditEvent, 'reason'>;

/** The audit service as an emitter: signs and numbers its own events like every other emitter does. */
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
      id: eventId(now),
      time: new Date(now).toISOString(),
      emitter: { name: this.name, instance: this.instance, epoch: this.epoch, seq: this.seq++ },
      ...statement,
    } as AuditEvent;
    return signedEntry(event, { kid: this.kid, sign: (data) => sign(null, data, this.privateKey) });
  }
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
