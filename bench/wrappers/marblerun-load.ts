import { once } from 'node:events';
import { connect, type ClientHttp2Session } from 'node:http2';
import { connect as connectTls, createSecureContext, type SecureContext } from 'node:tls';
import { callActivate } from '../../test/marblerun/reference-marble.js';

/** Marbles up to their connections: everything that their own start costs is done, and is not measured. */
export interface LoadPlan {
  readonly port: number;
  /** Each marble has one request over a connection of its own; else each worker has one marble and its connection. */
  readonly fresh: boolean;
  readonly concurrency: number;
  readonly marbles: readonly PlannedMarble[];
}
export interface PlannedMarble {
  /** PEM. */
  readonly key: string;
  readonly cert: string;
  /** ActivationReq messages, each with a quote of its own. */
  readonly requests: Buffer[];
}

export interface LoadOutcome {
  readonly latenciesMs: readonly number[];
  readonly failed: number;
  readonly firstError?: string;
}

/** What sends the requests of a plan, some at a time. */
export interface MarbleLoad {
  /** Of the process whose CPU is the clients'. */
  readonly pid: number;
  readonly language: string;
  run(count: number): Promise<LoadOutcome>;
  close(): void;
}

/** An answer without parameters would be shorter. */
const LEAST_ANSWER_BYTES = 1_000;

/** Marbles in this process, over Node's HTTP/2. */
export async function marblesInNode(plan: LoadPlan): Promise<MarbleLoad> {
  const left = plan.marbles.map((marble) => ({
    ...marble,
    context: createSecureContext({ key: marble.key, cert: marble.cert }),
  }));
  const sessions = plan.fresh
    ? []
    : await Promise.all(left.map(({ context }) => openSession(context, plan.port)));
  const latenciesMs: number[] = [];
  let failed = 0;
  let firstError: string | undefined;
  const timed = async (work: () => Promise<Buffer>): Promise<void> => {
    const started = performance.now();
    try {
      if ((await work()).length < LEAST_ANSWER_BYTES) throw new Error('an answer without parameters');
    } catch (error) {
      failed++;
      firstError ??= (error as Error).message;
    }
    latenciesMs.push(performance.now() - started);
  };
  return {
    pid: process.pid,
    language: 'node',
    close: () => sessions.forEach((session) => session.destroy()),
    run: async (count) => {
      latenciesMs.length = 0;
      failed = 0;
      let begun = 0;
      const worker = async (at: number): Promise<void> => {
        while (begun++ < count) {
          const marble = plan.fresh ? left.pop()! : left[at]!;
          const request = marble.requests.pop();
          if (!request) return;
          await timed(async () => {
            const session = sessions[at] ?? (await openSession(marble.context, plan.port));
            const answer = callActivate(session, request);
            return plan.fresh ? answer.finally(() => session.destroy()) : answer;
          });
        }
      };
      await Promise.all(Array.from({ length: plan.concurrency }, (_none, at) => worker(at)));
      return { latenciesMs: [...latenciesMs], failed, ...(firstError === undefined ? {} : { firstError }) };
    },
  };
}

async function openSession(secureContext: SecureContext, port: number): Promise<ClientHttp2Session> {
  const socket = connectTls({
    host: '127.0.0.1',
    port,
    servername: 'localhost',
    secureContext,
    ALPNProtocols: ['h2'],
    rejectUnauthorized: false,
  });
  await once(socket, 'secureConnect');
  const session = connect(`https://localhost:${port}`, { createConnection: () => socket });
  session.on('error', () => undefined);
  return session;
}
