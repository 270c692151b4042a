import { parentPort, workerData } from 'node:worker_threads';
import { openLogForWriting } from '../store/log-database.js';
import type { CommitterData, CommitterMessage, GroupMessage } from './committer-messages.js';
import { Committer } from './committer.js';
import { OwnEmitter } from './own-events.js';
import type { IncomingEvent } from './placer.js';

const SQLITE_FULL = 13;

const { databasePath, logs, logKey, own, gapGraceMs } = workerData as CommitterData;
const port = parentPort!;
const database = openLogForWriting(databasePath);
const emitter = new OwnEmitter(own.name, own.kid, own.instance, own.privateKey);
const committer = new Committer(database, { logs, logKey, own: emitter, gapGraceMs });
const answer = (message: CommitterMessage) => port.postMessage(message);

port.on('message', ({ bytes, events, statements, anomalies, last }: GroupMessage) => {
  const now = Date.now();
  for (const anomaly of anomalies) committer.note(anomaly, now);
  let offset = 0;
  const incoming: IncomingEvent[] = events.map(({ length, ...event }) => {
    const entry = new Uint8Array(bytes, offset, length);
    offset += length;
    return { ...event, entry };
  });
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
