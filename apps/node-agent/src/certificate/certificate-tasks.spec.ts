import type { FortanixIssueResponse } from '#contracts';
import { SiegelError } from '#contracts';
import { Logger } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { CertificateTasks } from './certificate-tasks.js';

Logger.overrideLogger(false);

/** An issuer that gives one decision after the other. */
function scripted(...statuses: FortanixIssueResponse['task_status'][]) {
  const asked: string[] = [];
  let now = 0;
  const issue = (csr: string): Promise<FortanixIssueResponse> => {
    asked.push(csr);
    const task_status = statuses.shift();
    if (task_status === undefined) return Promise.reject(new SiegelError('ISSUER_UNAVAILABLE'));
    const certificate = task_status === 'SUCCESS' ? { certificate: 'PEM' } : { code: 'NAME_NOT_ALLOWED' };
    return Promise.resolve({ task_id: randomUUID(), task_status, ...certificate });
  };
  const tasks = new CertificateTasks({ issue }, { max: 2, seconds: 3_600 }, () => now);
  return { tasks, asked, later: (ms: number) => void (now += ms) };
}

describe('certificate requests', () => {
  it('are answered again as they were decided', async () => {
    const { tasks, asked } = scripted('SUCCESS');
    const answer = await tasks.issue('csr');
    expect(answer).toEqual({ task_id: answer.task_id, task_status: 'SUCCESS', certificate: 'PEM' });
    expect(await tasks.result(answer.task_id)).toEqual(answer);
    expect(asked).toEqual(['csr']);
  });

  it('that wait for their names are decided anew, not more often than every two seconds, under the same id', async () => {
    const { tasks, asked, later } = scripted('PENDING_WHITELIST', 'PENDING_WHITELIST', 'SUCCESS');
    const { task_id, ...first } = await tasks.issue('csr');
    expect(first).toEqual({ task_status: 'PENDING_WHITELIST' });
    await tasks.result(task_id);
    expect(asked).toHaveLength(1);
    later(2_000);
    expect(await tasks.result(task_id)).toEqual({ task_id, task_status: 'PENDING_WHITELIST' });
    later(2_000);
    expect(await tasks.result(task_id)).toEqual({ task_id, task_status: 'SUCCESS', certificate: 'PEM' });
    later(2_000);
    await tasks.result(task_id);
    expect(asked).toHaveLength(3);
  });

  it('that were denied stay so', async () => {
    const { tasks, asked, later } = scripted('DENIED', 'SUCCESS');
    const { task_id } = await tasks.issue('csr');
    later(60_000);
    expect(await tasks.result(task_id)).toEqual({ task_id, task_status: 'DENIED' });
    expect(asked).toHaveLength(1);
  });

  it('are forgotten when there are too many, and unknown otherwise', async () => {
    const { tasks } = scripted('DENIED', 'DENIED', 'DENIED');
    const [first] = [await tasks.issue('1'), await tasks.issue('2'), await tasks.issue('3')];
    for (const id of [first!.task_id, randomUUID()])
      await expect(tasks.result(id)).rejects.toMatchObject({ code: 'TASK_UNKNOWN' });
  });

  it('are no decision where nobody could decide', async () => {
    const { tasks } = scripted();
    await expect(tasks.issue('csr')).rejects.toMatchObject({ code: 'ISSUER_UNAVAILABLE' });
  });
});
