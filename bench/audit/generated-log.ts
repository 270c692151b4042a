import { SignedEvent } from '#contracts';
import canonicalize from 'canonicalize';
import { randomInt, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Committer } from '../../apps/audit/src/sequencing/committer.js';
import { OwnEmitter } from '../../apps/audit/src/sequencing/own-events.js';
import type { IncomingEvent } from '../../apps/audit/src/sequencing/placer.js';
import { openLogForWriting } from '../../apps/audit/src/store/log-database.js';
import { type AuditDeployment, ORIGIN } from '../../test/audit-deployment.js';
import { type GeneratedLog, generatedEvent, timeOf } from './generated-events.js';
import type { PublishingData } from './publishing-thread.js';
import type { SignedEntries, SigningData, SigningRequest } from './signing-thread.js';

const GROUP = 1_000;
const SIGNERS = 2;
/** Groups that are being signed, or wait for those before them. */
const AHEAD = 8;
const SPAN_MS = 30 * 86_400_000;
/** The service's own clock must not be behind the log's. */
const BEFORE_MS = 60_000;

/**
 * Fills a state folder with `count` events of thirty days: signed by their emitter if wanted, placed and committed by the committer
 * itself, published as tiles by the publisher itself; only the broker is left out. JetStream is told that it has them.
 */
export async function generateLog(
  deployment: Pick<AuditDeployment, 'state' | 'emitterKey' | 'ownKey' | 'logKey'>,
  count: number,
  isSigned: boolean,
): Promise<GeneratedLog & { perSecond: number }> {
  const { state, emitterKey, ownKey, logKey } = deployment;
  const to = Date.now() - BEFORE_MS;
  const log: GeneratedLog = { run: randomUUID(), seed: randomInt(2 ** 32), count, from: to - SPAN_MS, to };
  checkShape(log);
  const logPath = join(state, 'log.db');
  const database = openLogForWriting(logPath);
  // Nothing is promised yet, and what a power loss takes is generated again.
  database.exec('PRAGMA synchronous = OFF');
  const own = new OwnEmitter('audit', ownKey.kid, 'bench', ownKey.privateKey);
  const logs = [
    { id: 0, origin: ORIGIN, kid: logKey.kid, name: 'default' },
    { id: 1, origin: 'siegel.test/other', kid: logKey.kid, name: 'other' },
  ];
  const committer = new Committer(database, { logs, logKey: logKey.privateKey, own, gapGraceMs: 2_000 });
  const started = performance.now();
  const publishing: PublishingData = {
    logPath,
    tiles: join(state, 'tree'),
    log: logs[0]!,
    logKey: logKey.privateKey,
    count,
  };
  const published = threadEnds('./publishing-thread.js', publishing);
  let seq = 1;
  for await (const entries of signedGroups({
    log,
    kid: emitterKey.kid,
    privateKey: isSigned ? emitterKey.privateKey : undefined,
  })) {
    const group = entries.map((entry): IncomingEvent => ({
      tenant: 'default',
      emitter: 'key-release',
      epoch: log.run,
      seq: seq++,
      entry,
    }));
    committer.commit(group, [], timeOf(log, seq - 1));
  }
  await published;
  const perSecond = count / ((performance.now() - started) / 1_000);
  database.close();
  writeFileSync(join(state, 'distributed'), `${count}\n`);
  return { ...log, perSecond };
}

/** The generator writes canonical JSON by itself; it must be that, and events as the service takes them. */
function checkShape(log: GeneratedLog): void {
  for (let seq = 1; seq <= 500; seq++) {
    const event = generatedEvent(log, seq);
    SignedEvent.parse({ event, kid: 'k'.repeat(43), sig: 's'.repeat(86) });
    if (canonicalize(event) !== JSON.stringify(event)) throw new Error('generated events are not canonical');
  }
}

/** Signed entries in their order, a group at a time, made by threads. */
async function* signedGroups(data: SigningData): AsyncGenerator<Buffer[]> {
  const { count } = data.log;
  const workers = Array.from(
    { length: SIGNERS },
    () => new Worker(new URL('./signing-thread.js', import.meta.url), { workerData: data }),
  );
  const waiting = new Map<
    number,
    { resolve: (entries: SignedEntries) => void; reject: (error: unknown) => void }
  >();
  for (const worker of workers) {
    worker.on('message', (entries: SignedEntries) => waiting.get(entries.first)?.resolve(entries));
    worker.on('error', (error) => waiting.forEach(({ reject }) => reject(error)));
  }
  const groups: Promise<SignedEntries>[] = [];
  let next = 1;
  const order = (): void => {
    const first = next;
    next = Math.min(first + GROUP, count + 1);
    groups.push(new Promise((resolve, reject) => waiting.set(first, { resolve, reject })));
    const request: SigningRequest = { first, last: next - 1 };
    workers[Math.floor(first / GROUP) % SIGNERS]!.postMessage(request);
  };
  try {
    for (;;) {
      while (groups.length < AHEAD && next <= count) order();
      const group = groups.shift();
      if (!group) return;
      const { first, bytes, lengths } = await group;
      waiting.delete(first);
      let offset = 0;
      yield lengths.map((length) => {
        const entry = Buffer.from(bytes, offset, length);
        offset += length;
        return entry;
      });
    }
  } finally {
    for (const worker of workers) await worker.terminate();
  }
}

function threadEnds(path: string, workerData: unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(path, import.meta.url), { workerData });
    worker.once('message', () => resolve());
    worker.once('error', reject);
  });
}
