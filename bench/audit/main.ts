import { peekCheckpoint } from '#transparency';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { AuditDeployment, until } from '../../test/audit-deployment.js';
import { cpuSeconds, residentMiB } from '../measure/process-usage.js';
import { percentile, round } from '../measure/statistics.js';
import { generateLog } from './generated-log.js';
import { appendLoad, proofLoad, queryLoad } from './load.js';

/** Targets on two cores: events per second with durable promises, searches and proofs in milliseconds. */
const TARGETS = { perSecond: 5_000, queryP99Ms: 50, proofP99Ms: 5, residentMiB: 300 };
const HOURS_MS = 4 * 3_600_000;

/**
 * `npm run bench -- audit [--events N] [--append N] [--in-flight N] [--postgres FILE] [--json]`: the audit service with a real broker, over a
 * log of N generated events: durable appends, searches, proofs, storage and memory. With the file of a PostgreSQL URL the log is
 * there, and holds what was appended.
 */
export async function run(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      events: { type: 'string', default: '100000' },
      append: { type: 'string', default: '50000' },
      'in-flight': { type: 'string', default: '256' },
      queries: { type: 'string', default: '500' },
      postgres: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const [events, append, inFlight, queries] = [
    values.events,
    values.append,
    values['in-flight'],
    values.queries,
  ].map((value) => Math.max(0, Math.trunc(Number(value)))) as [number, number, number, number];
  const say = (text: string): void => void (values.json ? undefined : process.stdout.write(`${text}\n`));
  const { postgres } = values;
  const deployment = new AuditDeployment(
    postgres === undefined ? {} : { SIEGEL_AUDIT_POSTGRES_FILE: postgres },
  );
  try {
    const generated = postgres === undefined ? events : 0;
    say(`generating a log of ${generated} events`);
    const filledPerSecond = generated > 0 ? generateLog(deployment, generated) : 0;
    const opened = performance.now();
    await deployment.start();
    await settled(deployment);
    const catchUpSeconds = (performance.now() - opened) / 1_000;
    const requests = await deployment.requests();
    await appendLoad(requests, deployment, 2_000, inFlight);
    await settled(deployment);

    say(`appending ${append} events, ${inFlight} in flight`);
    const before = usage(deployment);
    const appended = await appendLoad(requests, deployment, append, inFlight);
    await settled(deployment);
    const after = usage(deployment);
    say(`${queries} searches and proofs`);
    const searches = await queryLoad(deployment, queries);
    const all = Object.values(searches).flat();
    const { size } = peekCheckpoint(await (await deployment.get('/v1/log/checkpoint')).text());
    const proofs = await proofLoad(deployment, size, queries);
    const perEvent = (seconds: number): number => round((seconds * 1e6) / append, 1);
    const result = {
      events: size,
      perSecond: Math.round(append / appended.seconds),
      p50Ms: round(percentile(appended.latencies, 0.5)),
      p99Ms: round(percentile(appended.latencies, 0.99)),
      inFlight,
      cpuUsPerEvent: {
        audit: perEvent(after.audit - before.audit),
        nats: perEvent(after.nats - before.nats),
      },
      query: {
        p50Ms: round(percentile(all, 0.5)),
        p99Ms: round(percentile(all, 0.99)),
        byFilterP99Ms: Object.fromEntries(
          Object.entries(searches).map(([name, list]) => [name, round(percentile(list, 0.99))]),
        ),
      },
      proof: { p50Ms: round(percentile(proofs, 0.5)), p99Ms: round(percentile(proofs, 0.99)) },
      bytesPerEvent: {
        log: Math.round(bytes(deployment.state, /^log\.db/) / size),
        index: Math.round(bytes(deployment.state, /^index\.db/) / size),
        tiles: Math.round(bytes(join(deployment.state, 'tree'), /./) / size),
      },
      residentMiB: residentMiB(deployment.pid),
      filledPerSecond: Math.round(filledPerSecond),
      catchUpSeconds: round(catchUpSeconds, 1),
      targets: TARGETS,
    };
    const met =
      result.perSecond >= TARGETS.perSecond &&
      result.query.p99Ms < TARGETS.queryP99Ms &&
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

/** Waits until index, checkpoint and JetStream have everything. */
async function settled(deployment: AuditDeployment): Promise<void> {
  await until(
    async () => {
      const metrics = await (await fetch(`${deployment.url}/metrics`)).text();
      const done = [/audit_leading 1\n/, /index_lag_entries 0\n/, /distribution_lag_entries 0\n/];
      return done.every((line) => line.test(metrics));
    },
    HOURS_MS,
    'the followers did not catch up',
  );
  await new Promise((resolve) => setTimeout(resolve, 1_500));
}

const usage = ({ pid, natsPid }: AuditDeployment) => ({ audit: cpuSeconds(pid), nats: cpuSeconds(natsPid) });

function bytes(folder: string, name: RegExp): number {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((file) => file.isFile() && name.test(file.name))
    .reduce((sum, file) => sum + statSync(join(file.parentPath, file.name)).size, 0);
}
