import type { MessagePort } from 'node:worker_threads';
import { FencedError } from '../store/fenced-error.js';
import { PostgresDatabase, sqlState } from '../store/postgres/database.js';
import { PostgresCommitter } from '../store/postgres/postgres-committer.js';
import type { WritableStore } from '../store/store-settings.js';
import { type CommitterMessage, type GroupMessage, unpackGroup } from './committer-messages.js';
import type { Commit, PlacerOptions } from './placer.js';

/** One to commit on, one to read ahead. */
const CONNECTIONS = 2;

/**
 * The committer thread on PostgreSQL: the same messages as on the embedded store. Where the term is over, or a commit got
 * no answer, it says so and ends: what is really stored is found by whoever opens the store next.
 */
export async function serveFromPostgres(
  port: MessagePort,
  { postgres, term }: Extract<WritableStore, { kind: 'postgres' }>,
  options: PlacerOptions,
): Promise<void> {
  const answer = (message: CommitterMessage) => port.postMessage(message);
  // No time limit: a commit that waits for a synchronous replica must not be given up, as it may be durable already.
  const settings = { name: 'siegel-audit-committer', connections: CONNECTIONS, statementTimeoutMs: 0 };
  const database = new PostgresDatabase(postgres, settings);
  let committer: PostgresCommitter | undefined;
  const end = (): void => {
    committer?.close();
    void database.close().finally(() => port.close());
  };
  const lose = (error: unknown): void => {
    answer({ kind: 'lost', message: (error as Error).message, fenced: error instanceof FencedError });
    end();
  };
  try {
    committer = await PostgresCommitter.open(database, { term, width: postgres.partition }, options);
  } catch (error) {
    return lose(error);
  }
  const opened = committer;
  port.on('message', (group: GroupMessage) => {
    commitGroup(opened, group)
      .then(
        async (commit) => {
          // The last checkpoint is still to come, by the follower; then the term is released.
          if (group.last) await opened.deregister();
          answer({ kind: 'commit', commit });
          if (group.last) end();
        },
        (error: unknown) => {
          // The server refused and rolled back: a full disk, a lock; that passes.
          if (sqlState(error) === undefined || group.last) lose(error);
          else answer({ kind: 'refused', message: (error as Error).message });
        },
      )
      .catch(lose);
  });
  answer({ kind: 'ready', head: committer.head });
}

async function commitGroup(committer: PostgresCommitter, group: GroupMessage): Promise<Commit> {
  const now = Date.now();
  for (const anomaly of group.anomalies) committer.note(anomaly, now);
  const incoming = unpackGroup(group);
  if (incoming.length === 0 && group.statements.length === 0 && !committer.hasDue(now) && !group.last) {
    await committer.beat();
    return { results: [], head: committer.head, appended: 0 };
  }
  return committer.commit(incoming, group.statements, now, group.last);
}
