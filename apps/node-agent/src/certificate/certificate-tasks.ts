import { type FortanixIssueResponse, SiegelError } from '#contracts';
import { Logger } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { IssuerClient } from './issuer-client.js';

/** A request that waits for its names to be allowed is asked about upstream this often at most. */
const ASK_AGAIN_MS = 2_000;

/** As em-app reads it (em-node-agent-client: IssueCertificateResponse). */
export interface TaskAnswer {
  readonly task_id: string;
  readonly task_status: FortanixIssueResponse['task_status'];
  readonly certificate?: string;
}

interface Task {
  readonly answer: TaskAnswer;
  /** Kept only as long as the decision is open. */
  readonly csr?: string;
  readonly askedAt: number;
}

/**
 * What became of certificate requests, in memory: em-app asks for it by task id while it waits. An open request is put to key-release
 * again, which decides by the manifest of then.
 */
export class CertificateTasks {
  private readonly log = new Logger('certificates');
  private readonly tasks: LRUCache<string, Task>;

  constructor(
    private readonly issuer: Pick<IssuerClient, 'issue'>,
    limits: { readonly max: number; readonly seconds: number },
    private readonly now: () => number = Date.now,
  ) {
    this.tasks = new LRUCache({ max: limits.max, ttl: limits.seconds * 1_000 });
  }

  /** @throws SiegelError ISSUER_UNAVAILABLE */
  async issue(csr: string): Promise<TaskAnswer> {
    const decided = await this.issuer.issue(csr);
    return this.keep(decided.task_id, csr, decided);
  }

  /** @throws SiegelError TASK_UNKNOWN, ISSUER_UNAVAILABLE */
  async result(id: string): Promise<TaskAnswer> {
    const task = this.tasks.get(id);
    if (task === undefined) throw new SiegelError('TASK_UNKNOWN');
    if (task.csr === undefined || this.now() - task.askedAt < ASK_AGAIN_MS) return task.answer;
    return this.keep(id, task.csr, await this.issuer.issue(task.csr));
  }

  private keep(id: string, csr: string, decided: FortanixIssueResponse): TaskAnswer {
    const { task_status, certificate, code } = decided;
    const answer: TaskAnswer = {
      task_id: id,
      task_status,
      ...(task_status === 'SUCCESS' && certificate !== undefined ? { certificate } : {}),
    };
    const open = task_status === 'PENDING_WHITELIST';
    this.tasks.set(id, { answer, askedAt: this.now(), ...(open ? { csr } : {}) });
    this.log.log({ msg: 'certificate request', task: id, status: task_status, code });
    return answer;
  }
}
