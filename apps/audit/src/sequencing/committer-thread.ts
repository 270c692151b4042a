import { parentPort, workerData } from 'node:worker_threads';
import { openLogForWriting } from '../store/log-database.js';
import {
  type CommitterData,
  type CommitterMessage,
  type GroupMessage,
  unpackGroup,
} from './committer-messages.js';
import { Committer } from './committer.js';
import { OwnEmitter } from './own-events.js';
import type { PlacerOptions } from './placer.js';

const SQLITE_FULL = 13;

const { store, logs, logKey, own, gapGraceMs } = workerData as CommitterData;
const port = parentPort!;
const answer = (message: CommitterMessage) => port.postMessage(message);
const emitter = new OwnEmitter(own.name, own.kid, own.instance, own.privateKey);
const options: PlacerOptions = { logs, logKey, own: emitter, gapGraceMs };

if (store.kind === 'sqlite') serve(store.logPath);
else {
  // Loaded only where it is needed: the embedded store's thread stays small.
  const { serveFromPostgres } = await import('./postgres-committing.js');
  await serveFromPostgres(port, store, options);
}

function serve(path: string): void {
  const database = openLogForWriting(path);
  const committer = new Committer(database, options);
  port.on('message', (group: GroupMessage) => {
    const { statements, anomalies, last } = group;
    const now = Date.now();
    for (const anomaly of anomalies) committer.note(anomaly, now);
    const incoming = unpackGroup(group);
    try {
      if (incoming.length === 0 && statements.length === 0 && !committer.hasDue(now) && !last) {
        answer({ kind: 'commit', commit: { results: [], head: committer.head, appended: 0 } });
      } else {
        answer({ kind: 'commit', commit: committer.commit(incoming, statements, now, last) });
      }
    } catch (error) {
      // A full disk passes. After any other failure, above all a failed fsync, the state of the file is unknown: the
      // exception ends the thread and with it the process, and the next start reads what is really there.
      if ((error as { errcode?: number }).errcode !== SQLITE_FULL) throw error;
      answer({ kind: 'refused', message: (error as Error).message });
    }
    if (last) {
      database.close();
      port.close();
    }
  });
  answer({ kind: 'ready', head: committer.head });
}
