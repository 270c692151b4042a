import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { Refused } from '../apps/cli/src/demo/simulated-enclave.js';
import {
  certificateFor,
  entryBytes,
  envSecret,
  eventually,
  type LoggedEvent,
  manifestOf,
  OfflineChecks,
  type Part,
  RunningSiegel,
  startSiegel,
  TENANT,
  VAULT,
} from './harness/index.js';

jest.setTimeout(240_000);
const WORKERS = 4;
const SECRET = 'kept over every crash';
const MANIFEST = manifestOf({
  app: { certificate: certificateFor('app'), secrets: [envSecret('password', 'PASSWORD')] },
});

/** Enclaves that boot one after the other, on several lanes, whatever happens to the services. */
class Load {
  readonly granted: { session: string; promise: Parameters<OfflineChecks['promises']['verify']>[0] }[] = [];
  readonly refused = new Map<string, number>();
  private running = true;
  private readonly lanes: Promise<void>[];

  constructor(private readonly siegel: RunningSiegel) {
    this.lanes = Array.from({ length: WORKERS }, () => this.lane());
  }

  /** Until `count` more enclaves have been granted than now. */
  async more(count: number): Promise<void> {
    const goal = this.granted.length + count;
    await eventually(`${count} more grants`, () => this.granted.length >= goal);
  }

  async end(): Promise<void> {
    this.running = false;
    await Promise.all(this.lanes);
  }

  private async lane(): Promise<void> {
    while (this.running) {
      try {
        const { response, payload } = await this.siegel.machines.enclave('app').attest(this.siegel.service);
        if (payload.env['PASSWORD'] !== SECRET) throw new Error('another secret was released');
        this.granted.push({ session: response.session, promise: response.promise });
      } catch (error) {
        this.count(error);
      }
      await sleep(10);
    }
  }

  private count(error: unknown): void {
    const what =
      error instanceof Refused
        ? `${error.status} ${error.problem.code}`
        : ((error as NodeJS.ErrnoException).code ?? (error as Error).message);
    this.refused.set(what, (this.refused.get(what) ?? 0) + 1);
  }
}

describe('under load, with every service killed in turn', () => {
  let siegel: RunningSiegel;
  let load: Load;
  let events: LoggedEvent[];
  const killed = new Map<Part, number>();

  beforeAll(async () => {
    siegel = await startSiegel({ secrets: { password: SECRET }, manifest: MANIFEST });
    load = new Load(siegel);
    try {
      await load.more(20);
      for (const part of [
        'quote-verifier',
        'audit',
        'key-release',
        'nats-server',
        'audit',
      ] satisfies Part[]) {
        killed.set(part, await siegel.kill(part));
        await load.more(20);
      }
    } finally {
      await load.end();
    }
    await siegel.ready();
    events = await siegel.log.all();
  });
  afterAll(() => siegel?.stop());

  it('every service runs again as another process', () => {
    expect(killed.size).toBe(4);
    const now = siegel.pids();
    for (const [part, pid] of killed) expect([part, now[part]]).not.toEqual([part, pid]);
  });

  it('what was answered with a grant is in the log, once, as the promise says', () => {
    const offline = new OfflineChecks(siegel.layout.trust);
    expect(load.granted.length).toBeGreaterThanOrEqual(120);
    for (const { session, promise } of load.granted) {
      const own = events.filter(({ event }) => event.session === session);
      expect(own.map(({ event }) => event.type)).toEqual(['attestation.granted']);
      expect(own[0]!.index).toBe(promise.index);
      offline.promises.verify(promise, entryBytes(own[0]!));
    }
  });

  it('the log has no hole, nothing twice and nothing forged', () => {
    expect(events.map(({ index }) => index)).toEqual(events.map((_unused, at) => at));
    expect(new Set(events.map(({ event }) => event.id)).size).toBe(events.length);
    const numbers = events.map(({ event }) => `${event.emitter.epoch} ${event.emitter.seq}`);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(events.filter(({ event }) => event.type === 'log.forged')).toEqual([]);
  });

  it('whoever was not served was told to try again, and never denied', () => {
    expect(
      [...load.refused.keys()].filter((what) => !/^(503 |ECONN|EPIPE|socket hang up)/.test(what)),
    ).toEqual([]);
    expect(events.filter(({ event }) => event.outcome === 'denied')).toEqual([]);
  });

  it('manifest and secrets are as they were', async () => {
    expect(await siegel.admin.manifest(TENANT)).toMatchObject({ version: 1, text: MANIFEST });
    expect(await siegel.admin.secretNames(TENANT, VAULT)).toEqual(['password']);
    const { payload } = await siegel.machines.enclave('app').attest(siegel.service);
    expect(payload.env).toEqual({ PASSWORD: SECRET });
  });
});
