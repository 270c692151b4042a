import type { AuditDeployment } from '../../test/audit-deployment.js';
import { percentile, round } from '../measure/statistics.js';
import {
  type GeneratedLog,
  MEASUREMENTS,
  PLATFORMS,
  RARE,
  REASONS,
  SESSION_EVENTS,
  sessionOf,
  timeOf,
  WORKLOADS,
} from './generated-events.js';

type Question = (i: number) => string;

const HOUR_MS = 3_600_000;
const common = (i: number): string => `workload=${WORKLOADS[i % 45]}`;
const measurement = (i: number): string => `mrenclave=${MEASUREMENTS[i % MEASUREMENTS.length]}`;
const platform = (i: number): string => `platform=${PLATFORMS[i % PLATFORMS.length]}`;

/** A stretch of the log's time that begins somewhere in it. */
function within(log: GeneratedLog, i: number, ms: number): string {
  const from = timeOf(log, ((i * 7_919) % 1_000) * (log.count / 1_100));
  return `from=${new Date(from).toISOString()}&to=${new Date(from + ms).toISOString()}`;
}

const session = (log: GeneratedLog, i: number): string =>
  sessionOf(log, (i * 7_919) % Math.ceil(log.count / SESSION_EVENTS));

/** What operators ask, from what nearly all events match to what none does; values vary from one time to the next. */
export const searches = (log: GeneratedLog): Record<string, Question> => ({
  newest: () => '',
  'common value': common,
  'common value, oldest first': (i) => `${common(i)}&order=oldest`,
  'rare value': () => `workload=${RARE.workload}`,
  'value that nothing has': () => 'workload=never',
  'workload and denied': (i) => `${common(i)}&outcome=denied`,
  'two common values, few matches': (i) => `${common(i)}&tcbStatus=SWHardeningNeeded`,
  'four common values, few matches': (i) =>
    `${common(i)}&tcbStatus=SWHardeningNeeded&protocol=native&outcome=granted`,
  'two common values, no match': (i) => `outcome=granted&reason=${REASONS[i % REASONS.length]}`,
  measurement,
  'measurement and denied': (i) => `${measurement(i)}&outcome=denied`,
  denied: () => 'outcome=denied',
  'reason and workload': (i) => `reason=${REASONS[i % REASONS.length]}&${common(i)}`,
  'machine and measurement': (i) => `${platform(i)}&${measurement(i)}`,
  'an hour': (i) => within(log, i, HOUR_MS),
  'a day, workload, denied': (i) => `${within(log, i, 24 * HOUR_MS)}&${common(i)}&outcome=denied`,
  'common words': () => 'text=manifest%20allow',
  'rare word': () => `text=${RARE.word}`,
  'common words, few matches': (i) => `text=manifest&${common(i)}&tcbStatus=SWHardeningNeeded`,
  session: (i) => `session=${session(log, i)}`,
});

/** Counts and stories: more work than a page of a search. */
export const summaries = (log: GeneratedLog): Record<string, Question> => ({
  'counts by outcome, days': () => 'counts?by=outcome&bucket=day',
  'counts by outcome, hours of a day': (i) => `counts?by=outcome&bucket=hour&${within(log, i, 24 * HOUR_MS)}`,
  'counts by reason of a workload, days': (i) => `counts?by=reason&bucket=day&outcome=denied&${common(i)}`,
  'counts by measurement of a TCB status': () =>
    'counts?by=mrenclave&bucket=none&tcbStatus=SWHardeningNeeded',
  'story of a session': (i) => `story?session=${session(log, i)}`,
});

export interface Latencies {
  p50Ms: number;
  p99Ms: number;
}

/** Rounds that are not counted: connections, caches and compiled code are as they are in a service that runs. */
const WARMING = 3;

/** Asks every question `count` times over HTTP, one after the other and in turn. */
export async function ask(
  deployment: AuditDeployment,
  questions: Record<string, Question>,
  pathOf: (question: string) => string,
  count: number,
): Promise<{ all: Latencies; byQuestion: Record<string, Latencies> }> {
  const latencies = new Map<string, number[]>(Object.keys(questions).map((name) => [name, []]));
  for (let i = -WARMING; i < count; i++)
    for (const [name, question] of Object.entries(questions)) {
      const sent = performance.now();
      await deployment.json(pathOf(question(i + WARMING)));
      if (i >= 0) latencies.get(name)!.push(performance.now() - sent);
    }
  return {
    all: latenciesOf([...latencies.values()].flat()),
    byQuestion: Object.fromEntries([...latencies].map(([name, list]) => [name, latenciesOf(list)])),
  };
}

/** What a request costs that asks nothing: HTTP, this client, and whatever else the machine is doing. */
export async function floor(deployment: AuditDeployment, count: number): Promise<Latencies> {
  const latencies: number[] = [];
  for (let i = 0; i < count; i++) {
    const sent = performance.now();
    await (await deployment.get('/health/live')).text();
    latencies.push(performance.now() - sent);
  }
  return latenciesOf(latencies);
}

export const latenciesOf = (list: readonly number[]): Latencies => ({
  p50Ms: round(percentile(list, 0.5)),
  p99Ms: round(percentile(list, 0.99)),
});
