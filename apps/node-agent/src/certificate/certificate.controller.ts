import { FortanixIssueRequest, SiegelError } from '#contracts';
import { schemaPipe } from '#platform';
import { Body, Controller, Header, HttpCode, Param, Post } from '@nestjs/common';
import { AgentMetrics } from '../agent-metrics.js';
import { CertificateTasks, type TaskAnswer } from './certificate-tasks.js';

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Certificates as em-app asks for them (em-node-agent-client); only 200 is success to it, so that an outage is none. */
@Controller('v1/certificate')
export class CertificateController {
  constructor(
    private readonly tasks: CertificateTasks,
    private readonly metrics: AgentMetrics,
  ) {}

  @Post('issue')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  async issue(
    @Body({ schema: FortanixIssueRequest, pipes: [schemaPipe('REQUEST_MALFORMED')] })
    { csr }: FortanixIssueRequest,
  ): Promise<TaskAnswer> {
    return this.metrics.certificate(() => this.tasks.issue(csr));
  }

  @Post('result/:task')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  async result(@Param('task') task: string): Promise<TaskAnswer> {
    if (!UUID.test(task)) throw new SiegelError('TASK_UNKNOWN');
    return this.tasks.result(task.toLowerCase());
  }
}
