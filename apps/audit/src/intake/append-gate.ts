import { QUEUES, SUBJECTS } from '#contracts';
import { NatsResponder } from '#platform';
import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { AuditLog } from '../audit-log.js';

/**
 * Takes events from NATS while this process leads, and only then. Each term has a queue group of its own: NATS gives
 * every group a copy, so the requests that still go to a paused former leader reach the new one as well, where one
 * common group would lose every second one to it.
 */
@Injectable()
export class AppendGate implements OnModuleInit {
  private readonly logger = new Logger('intake');

  constructor(
    @Inject(AuditLog) private readonly log: AuditLog,
    @Inject(NatsResponder) private readonly responder: NatsResponder,
  ) {}

  onModuleInit(): void {
    const { replica } = this.log;
    if (!replica) return this.open(QUEUES.audit);
    replica.on('leading', (term) => {
      this.logger.log(`this replica sequences the log, term ${term}`);
      this.open(`${QUEUES.audit}-${term}`);
    });
    replica.on('following', () => {
      this.responder.shut(SUBJECTS.auditAppend);
      this.logger.warn('this replica stands by');
    });
    replica.start();
  }

  private open(queue: string): void {
    this.responder.open(SUBJECTS.auditAppend, queue);
  }
}
