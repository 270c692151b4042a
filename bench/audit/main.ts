import { peekCheckpoint } from '#transparency';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { AuditDeployment } from '../../test/audit-deployment.js';
import { cpuSeconds, residentMiB } from '../measure/process-usage.js';
import { round } from '../measure/statistics.js';
import type { GeneratedLog } from './generated-events.js';
import { generateLog } from './generated-log.js';
import { appendLoad, pacedLoad, proofLoad } from './load.js';
import { ask, floor, latenciesOf, searches, summaries } from './questions.js';
import { rebuildIndex, settled } from './settling.js';

/** Targets on two cores: events per second with durable promises, searches and proofs in milliseconds. */
const TARGETS = { perSecond: 5_000, queryP99Ms: 50, proofP99Ms: 5, residentMiB: 300 };
const PACED = { perSecond: 1_000, seconds: 5 };

/**
 * `npm run bench -- audit [--events N] [--append N] [--in-flight N] [--queries N] [--unsigned] [--keep FOLDER] [--postgres FILE] [--json]`: the audit service
 * with a real broker, over a log of N generated events: index rate, durable appends, searches, proofs, storage and memory.
 * With a folder to keep, the log is generated there, or taken from there if it was. With the file of a PostgreSQL URL the
 * log is there, and holds what was appended.
 */
export async function run(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      events: { type: 'string', default: '100000' },
      append: { type: 'string', default: '50000' },
      'in-flight': { type: 'string', default: '256' },
      queries: { type: 'string', default: '100' },
      keep: { type: 'string' },
      unsigned: { type: 'boolean', default: false },
      postgres: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const [events, append, inFlight, queries] = [
    values.events,
    values.append,
    values['in-flight'],
    values.queries,
  ].map((value) => Math.max(1, Math.trunc(Number(value)))) as [number, number, number, number];
  const say = (text: string): void => void (values.json ? undefined : process.stdout.write(`${text}\n`));
  const { postgres, keep } = values;
  if (keep !== undefined) mkdirSync(keep, { recursive: true, mode: 0o700 });
  const environment = postgres === undefined ? {} : { SIEGEL_AUDIT_POSTGRES_FILE: postgres };
  const deployment = new AuditDeployment(environment, keep);
  try {
    let log: GeneratedLog = {
      run: 'none',
      seed: 0,
      count: append,
      from: Date.now(),
      to: Date.now() + 60_000,
    };
    let [filledPerSecond, indexPerSecond] = [0, 0];
    if (postgres === undefined) {
      say(`generating and indexing a log of ${events} events`);
      ({ filledPerSecond, indexPerSecond, ...log } = await indexedLog(deployment, events, !values.unsigned));
    }
    await deployment.start();
    await settled(deployment);
    const requests = await deployment.requests();
    await appendLoad(requests, deployment, 2_000, inFlight);
    await settled(deployment);

    say(`appending ${append} events, ${inFlight} in flight`);
    const before = usage(deployment);
    const appended = await appendLoad(requests, deployment, append, inFlight);
    await settled(deployment);
    const after = usage(deployment);
    const paced = await pacedLoad(requests, deployment, PACED.perSecond, PACED.seconds);
    await settled(deployment);
    say(`every question ${queries} times`);
    const found = await ask(deployment, searches(log), (query) => `/v1/events?limit=50&${query}`, queries);
    const summed = await ask(deployment, summaries(log), (query) => `/v1/events/${query}`, queries / 4);
    const { size } = peekCheckpoint(await (await deployment.get('/v1/log/checkpoint')).text());
    const proofs = await proofLoad(deployment, size, 500);
    const perEvent = (seconds: number): number => round((seconds * 1e6) / append, 1);
    const result = {
      events: size,
      perSecond: Math.round(append / appended.seconds),
      ...latenciesOf(appended.latencies),
      inFlight,
      paced: { ...PACED, ...latenciesOf(paced.latencies) },
      cpuUsPerEvent: {
        audit: perEvent(after.audit - before.audit),
        nats: perEvent(after.nats - before.nats),
      },
      query: { ...found.all, byQuestion: found.byQuestion },
      summary: { ...summed.all, byQuestion: summed.byQuestion },
      proof: latenciesOf(proofs),
      floor: await floor(deployment, 500),
      bytesPerEvent: {
        log: Math.round(bytes(deployment.state, /^log\.db/) / size),
        index: Math.round(bytes(deployment.state, /^index\.db/) / size),
        tiles: Math.round(bytes(join(deployment.state, 'tree'), /./) / size),
      },
      residentMiB: residentMiB(deployment.pid),
      filledPerSecond: Math.round(filledPerSecond),
      indexPerSecond: Math.round(indexPerSecond),
      targets: TARGETS,
    };
    const slowest = Math.max(...Object.values(found.byQuestion).map(({ p99Ms }) => p99Ms));
    const met =
      result.perSecond >= TARGETS.perSecond &&
      slowest < TARGETS.queryP99Ms &&
      result.proof.p99Ms < TARGETS.proofP99Ms &&
      result.residentMiB.now < TARGETS.residentMiB;
    process.stdout.write(
      values.json ? `${JSON.stringify({ ...result, met })}\n` : `${JSON.stringify(result, null, 2)}\n`,
    );
    return met ? 0 : 1;
  } finally {
    await deployment.close();
  }
}

interface IndexedLog extends GeneratedLog {
  filledPerSecond: number;
  indexPerSecond: number;
}

/** The log that the folder has from before, or one that is generated and indexed now. */
async function indexedLog(
  deployment: AuditDeployment,
  count: number,
  isSigned: boolean,
): Promise<IndexedLog> {
  const description = join(deployment.folder, 'generated.json');
  if (existsSync(description)) return JSON.parse(readFileSync(description, 'utf8')) as IndexedLog;
  const { perSecond: filledPerSecond, ...log } = await generateLog(deployment, count, isSigned);
  const indexed = { ...log, filledPerSecond, indexPerSecond: await rebuildIndex(deployment) };
  writeFileSync(description, JSON.stringify(indexed));
  return indexed;
}

const usage = ({ pid, natsPid }: AuditDeployment) => ({ audit: cpuSeconds(pid), nats: cpuSeconds(natsPid) });

function bytes(folder: string, name: RegExp): number {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((file) => file.isFile() && name.test(file.name))
    .reduce((sum, file) => sum + statSync(join(file.parentPath, file.name)).size, 0);
}
