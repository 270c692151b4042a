import { AuditEvent } from '#contracts';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';
import { PAYMENTS } from '../apps/cli/src/demo/demo-manifest.js';
import type { DemoSummary } from '../apps/cli/src/demo/summary.js';
import {
  ANY_PORT,
  allGone,
  childrenOf,
  eventually,
  isAlive,
  ROOT,
  RunningSiegel,
  SiegelCommand,
  signal,
  startSiegel,
  temporaryFolder,
  TENANT,
} from './harness/index.js';

jest.setTimeout(180_000);

/** DESIGN §7; strict, so that a name that others rely on cannot change unnoticed. */
const OnceSummary = z.strictObject({
  ok: z.literal(true),
  attest: z.strictObject({
    token: z.string().regex(/^[\w-]+\.[\w-]+\.[\w-]+$/),
    workload: z.literal('payments'),
    tcbStatus: z.literal('UpToDate'),
    simulated: z.literal(true),
  }),
  release: z.strictObject({
    env: z.tuple([z.literal('DB_PASSWORD')]),
    files: z.tuple([z.literal('/run/secrets/edge.json')]),
    certificate: z.strictObject({
      subject: z.string(),
      dns: z.tuple([z.literal('payments.shop.svc')]),
      spiffeId: z.literal('spiffe://siegel.local/default/payments'),
      notAfter: z.iso.datetime(),
    }),
  }),
  denied: z.strictObject({ code: z.literal('RELEASE_DENIED') }),
  events: z.array(z.strictObject({ id: z.uuid(), type: z.string(), outcome: z.string() })).min(3),
  checks: z
    .array(z.strictObject({ name: z.string(), ok: z.literal(true), detail: z.string().optional() }))
    .min(10),
});

/** `npm start -- …` below npm: the script that npm runs, under this Node. */
function npmStart(args: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(ROOT, 'scripts/commands.mjs'), 'start', ...args], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

describe('npm start -- --once --json', () => {
  const state = temporaryFolder();
  const ids: string[] = [];
  let first: DemoSummary;
  afterAll(() => rmSync(state, { recursive: true, force: true }));

  it('prints one JSON object of the promised shape, nothing else, and exits 0', async () => {
    const { code, stdout, stderr } = await npmStart(['--once', '--json', '--state', state, ...ANY_PORT]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stdout.endsWith('}\n') && stdout.indexOf('\n') === stdout.length - 1).toBe(true);
    first = OnceSummary.parse(JSON.parse(stdout)) as DemoSummary;
    expect(first.events.map(({ type }) => type).sort()).toEqual([
      'attestation.denied',
      'attestation.granted',
      'release.granted',
    ]);
    ids.push(...first.events.map(({ id }) => id));
  });

  it('keeps everything in the state folder, secrets readable by their owner alone', () => {
    expect(existsSync(join(state, 'up.lock'))).toBe(false);
    const secret = ['admin.token', 'audit.token', 'key-release/manifest.pem', 'quote-verifier/verdict.pem'];
    for (const name of secret) expect([name, mode(join(state, name))]).toEqual([name, 0o600]);
    for (const name of readdirSync(join(state, 'nats')).filter((each) => each.endsWith('.seed')))
      expect([name, mode(join(state, 'nats', name))]).toEqual([name, 0o600]);
  });

  it('the next run on the same folder finds secrets, manifest and log, and is not disturbed by them', async () => {
    const siegel = await startSiegel({ state });
    let password: string | undefined;
    try {
      const events = await siegel.log.all();
      expect(events.map(({ event }) => event.id)).toEqual(expect.arrayContaining(ids));
      for (const { event } of events) AuditEvent.parse(event);
      const manifest = await siegel.admin.manifest(TENANT);
      expect(manifest?.version).toBe(1);
      password = await demoPassword(siegel);
    } finally {
      await siegel.stop();
    }
    const { code, stdout } = await npmStart(['--once', '--json', '--state', state, ...ANY_PORT]);
    expect(code).toBe(0);
    const again = OnceSummary.parse(JSON.parse(stdout));
    // A log that repeated itself would show the events of the first run again.
    expect(again.events.filter(({ id }) => ids.includes(id))).toEqual([]);
    const third = await startSiegel({ state });
    try {
      expect((await third.admin.manifest(TENANT))?.version).toBe(1);
      expect(await demoPassword(third)).toBe(password);
    } finally {
      await third.stop();
    }
  });

  it('says in words what happened when no machine reads it', async () => {
    const { code, stdout } = await npmStart(['--once', '--state', state, ...ANY_PORT]);
    expect(code).toBe(0);
    for (const word of ['DB_PASSWORD', '/run/secrets/edge.json', 'payments.shop.svc', 'RELEASE_DENIED'])
      expect(stdout).toContain(word);
    expect(stdout).toMatch(/All of it held\.\n$/);
    expect(stdout).not.toMatch(/^\s*at /m);
  });
});

const mode = (path: string): number => statSync(path).mode & 0o777;

async function demoPassword(siegel: RunningSiegel): Promise<string | undefined> {
  const enclave = siegel.machines.enclave('payments', PAYMENTS);
  const { payload } = await enclave.attest(siegel.service);
  expect(payload.env['DB_PASSWORD']).toMatch(/^[\w-]{32}$/);
  return payload.env['DB_PASSWORD'];
}

describe('a port that is in use', () => {
  let occupant: Server;
  let port: number;
  const state = temporaryFolder();
  beforeAll(async () => {
    occupant = createServer();
    await new Promise<void>((done) => occupant.listen(0, '127.0.0.1', done));
    port = (occupant.address() as { port: number }).port;
  });
  afterAll(async () => {
    await new Promise((done) => occupant.close(done));
    rmSync(state, { recursive: true, force: true });
  });

  it.each(['nats', 'release', 'verifier', 'audit'])('is named with its option: %s', async (name) => {
    const args = ANY_PORT.map((each, at) => (ANY_PORT[at - 1] === `--${name}-port` ? String(port) : each));
    const command = new SiegelCommand(['up', '--once', '--json', '--state', state, ...args]);
    expect(await command.ended()).toEqual({ code: 1, signal: null });
    const answer = JSON.parse(command.stdout) as { ok: boolean; error: { code: string; message: string } };
    expect(answer).toEqual({ ok: false, error: { code: 'PORT_OCCUPIED', message: expect.any(String) } });
    expect(answer.error.message).toContain(String(port));
    expect(answer.error.message).toContain(`--${name}-port`);
    expect(existsSync(join(state, 'up.lock'))).toBe(false);
  });

  it('is one sentence without --json', async () => {
    const command = new SiegelCommand(['up', '--state', state, ...ANY_PORT, '--audit-port', String(port)]);
    expect((await command.ended()).code).toBe(1);
    expect(command.stderr).toMatch(new RegExp(`^siegel: port ${port} .*--audit-port.*\\n$`, 'm'));
    expect(command.stderr).not.toMatch(/^\s*at /m);
  });

  it.each(['70000', '-1', 'abc'])('is refused as a number: %s', async (text) => {
    const command = new SiegelCommand(['up', '--json', '--state', state, `--nats-port=${text}`]);
    expect((await command.ended()).code).toBe(2);
    expect(JSON.parse(command.stdout)).toMatchObject({ error: { code: 'USAGE' } });
  });
});

describe('the end of a deployment', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('%s ends every process that was started', async (how) => {
    const siegel = await startSiegel();
    const { started, command } = siegel;
    const [named, running] = [Object.values(started.pids), childrenOf(command.pid).map(({ pid }) => pid)];
    const exit = await siegel.stop(how);
    expect(exit).toEqual({ code: 0, signal: null });
    expect(Object.keys(started.pids)).toEqual(
      expect.arrayContaining(['nats-server', 'audit', 'quote-verifier', 'key-release']),
    );
    expect(running.sort()).toEqual(named.sort());
    expect(running.filter(isAlive)).toEqual([]);
    for (const url of Object.values(siegel.endpoints))
      expect(await refusesConnections(Number(new URL(url).port))).toBe(true);
  });

  it('a second deployment on the same folder is refused while the first runs, which goes on and heals', async () => {
    const siegel = await startSiegel();
    try {
      const second = new SiegelCommand(['up', '--json', '--state', siegel.state, ...ANY_PORT]);
      expect((await second.ended()).code).toBe(1);
      expect(JSON.parse(second.stdout)).toEqual({
        ok: false,
        error: { code: 'STATE_LOCKED', message: expect.stringContaining(String(siegel.command.pid)) },
      });
      await siegel.ready();
      expect(siegel.pids()).toEqual(siegel.started.pids);

      // A service that is killed comes back under the same supervisor.
      const before = await siegel.kill('quote-verifier');
      const after = await eventually('another process', () => siegel.pids()['quote-verifier']);
      expect(after).not.toBe(before);
      await siegel.ready();
      expect(siegel.command.stderr).toContain('quote-verifier ended with signal SIGKILL');
    } finally {
      await siegel.stop();
    }
  });

  it('a supervisor that is killed takes its services with it; the next start takes over its lock and its broker', async () => {
    const state = temporaryFolder();
    const first = await startSiegel({ state });
    const { 'nats-server': broker, ...services } = first.started.pids;
    let second: RunningSiegel | undefined;
    try {
      signal(first.command.pid, 'SIGKILL');
      await allGone(Object.values(services));
      expect(isAlive(broker)).toBe(true);
      second = await startSiegel({ state });
      expect(isAlive(broker)).toBe(false);
      expect(readFileSync(join(state, 'up.lock'), 'utf8').trim()).toBe(String(second.command.pid));
      await second.ready();
    } finally {
      first.service.close();
      if (isAlive(broker)) signal(broker, 'SIGKILL');
      await second?.stop();
      rmSync(state, { recursive: true, force: true });
    }
  });

  it('a state folder that cannot be one is named in one sentence', async () => {
    const command = new SiegelCommand([
      'up',
      '--json',
      '--state',
      join(ROOT, 'package.json', 'state'),
      ...ANY_PORT,
    ]);
    expect((await command.ended()).code).toBe(1);
    expect(JSON.parse(command.stdout)).toEqual({
      ok: false,
      error: { code: 'STATE_UNUSABLE', message: expect.stringContaining('package.json') },
    });
  });
});

function refusesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', () => resolve(true));
  });
}
