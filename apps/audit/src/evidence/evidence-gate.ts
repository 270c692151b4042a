import { QUEUES, SUBJECTS } from '#contracts';
import { NatsResponder } from '#platform';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { AuditLog } from '../audit-log.js';

/**
 * Opens the subjects on which verifiers hand over. Of several replicas each gets a copy, by a queue group of its own: only the one
 * that sequences answers, and whoever takes over has what the former one had not kept yet.
 */
@Injectable()
export class EvidenceGate implements OnModuleInit {
  constructor(
    @Inject(AuditLog) private readonly log: AuditLog,
    @Inject(NatsResponder) private readonly responder: NatsResponder,
  ) {}

  onModuleInit(): void {
    const queue = this.log.replica ? `${QUEUES.audit}-${randomUUID()}` : QUEUES.audit;
    for (const subject of [SUBJECTS.auditEvidence, SUBJECTS.auditCollateral])
      this.responder.open(subject, queue);
  }
}
