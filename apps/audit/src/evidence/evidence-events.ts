import { SiegelError } from '#contracts';
import { AuditEmitter } from '#emitter';
import { NatsRequestError, type NatsRequests, type Trust } from '#platform';
import { sign } from 'node:crypto';
import type { AuditLog } from '../audit-log.js';
import { OutcomeUnknown } from '../sequencing/sequencer.js';

/**
 * Records who was given evidence and who erased it, before it happens: like every service that releases something, a replica goes on
 * only with the log's promise. Where it sequences the log itself the event takes the short way, otherwise NATS.
 */
export class EvidenceEvents {
  readonly #emitter: AuditEmitter;

  constructor(
    private readonly log: AuditLog,
    private readonly requests: Pick<NatsRequests, 'request'>,
    trust: Pick<Trust, 'logs'>,
    instance: string,
    onError: (message: string) => void,
  ) {
    const { emitter, logs } = log.keys;
    this.#emitter = new AuditEmitter(
      { request: (subject, entry, timeoutMs) => this.#append(subject, entry, timeoutMs) },
      {
        name: emitter.name,
        instance,
        key: { kid: emitter.kid, sign: (data) => sign(null, data, emitter.privateKey) },
        logs: trust.logs,
        originOf: (tenant) => logs.find(({ name }) => name === tenant)?.origin ?? '',
        onError,
      },
    );
  }

  /** @throws SiegelError AUDIT_UNAVAILABLE, AUDIT_BACKPRESSURE, AUDIT_PROMISE_INVALID: nothing may be given out */
  async record(
    type: 'evidence.read' | 'evidence.erased',
    tenant: string,
    sha256: string,
    actor: string,
  ): Promise<void> {
    await this.#emitter.record({ type, tenant, outcome: 'ok', data: { sha256, actor } });
  }

  close(): Promise<void> {
    return this.#emitter.close();
  }

  async #append(subject: string, entry: Uint8Array | string, timeoutMs: number): Promise<Uint8Array> {
    const { sequencer, intake } = this.log;
    if (!sequencer.leads) return this.requests.request(subject, entry, timeoutMs);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new NatsRequestError('timeout', subject)), timeoutMs);
    });
    try {
      const own = sequencer.append(intake.accept(Buffer.from(entry)));
      return Buffer.from(await Promise.race([own, late]));
    } catch (error) {
      // Another process leads since; the emitter asks again, and that one knows whether the event is stored.
      if (error instanceof OutcomeUnknown) throw new SiegelError('AUDIT_UNAVAILABLE', { cause: error });
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}
