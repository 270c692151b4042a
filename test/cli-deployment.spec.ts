import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { siegel, type Finished } from './cli-command.js';
import { hasNatsServer } from './verifier-deployment.js';

// Every command is a process of its own, on a machine that may be busy.
jest.setTimeout(60_000);

const START_MS = 90_000;

/** A whole deployment, started as `siegel up --demo` does it, on ports of the system's choice. */
(hasNatsServer ? describe : describe.skip)('siegel against a running deployment', () => {
  let folder = '';
  let state = '';
  let up: ChildProcess | undefined;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'siegel-cli-deployment-'));
    state = join(folder, 'state');
    const ports = ['nats', 'release', 'verifier', 'audit'].flatMap((name) => [`--${name}-port`, '0']);
    const args = ['scripts/commands.mjs', 'siegel', 'up', '--demo', '--json', '--state', state, ...ports];
    up = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let [out, err] = ['', ''];
    up.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
    up.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
    const deadline = Date.now() + START_MS;
    while (!out.includes('\n') && up.exitCode === null && Date.now() < deadline) {
      await new Promise((done) => setTimeout(done, 100));
    }
    if (!out.includes('\n') || !existsSync(join(state, 'siegel.json')))
      throw new Error(`no deployment: ${err.slice(-2_000)}`);
  }, START_MS + 10_000);

  afterAll(async () => {
    if (up && up.exitCode === null) {
      const ended = new Promise((done) => up?.on('exit', done));
      up.kill('SIGTERM');
      await ended;
    }
    rmSync(folder, { recursive: true, force: true });
  }, 30_000);

  const command = (
    args: string[],
    more: { stdin?: string | Buffer; env?: Record<string, string> } = {},
  ): Promise<Finished> => siegel(args, { ...more, cwd: folder, env: { SIEGEL_STATE: state, ...more.env } });
  const jsonLines = ({ out }: Finished): Record<string, unknown>[] =>
    out
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  it('doctor finds everything well', async () => {
    const finished = await command(['doctor', '--json']);
    const { ok, checks } = finished.json<{
      ok: boolean;
      checks: { name: string; ok: boolean; detail: string }[];
    }>();
    expect(checks.filter((check) => !check.ok)).toEqual([]);
    expect({ ok, code: finished.code }).toEqual({ ok: true, code: 0 });
    expect(checks.find(({ name }) => name === 'witness')!.detail).toMatch(
      /^siegel\.local\/witness cosigned /,
    );
    expect(checks.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'key-release',
        'quote-verifier',
        'audit',
        'NATS',
        'vault demo',
        'auditor token',
        'witness',
      ]),
    );
  });

  it('doctor says what fails and what to do: a token that is wrong, a service that is gone', async () => {
    writeFileSync(join(folder, 'wrong.token'), 'x'.repeat(43));
    const env = { SIEGEL_ADMIN_TOKEN_FILE: 'wrong.token', SIEGEL_VERIFIER_URL: 'http://127.0.0.1:1' };
    const finished = await command(['doctor', '--json'], { env });
    expect(finished.code).toBe(1);
    const { checks } = finished.json<{
      checks: { name: string; ok: boolean; code?: string; remedy?: string }[];
    }>();
    const named = Object.fromEntries(checks.map((check) => [check.name, check]));
    expect(named['administrator token and manifest']).toMatchObject({
      ok: false,
      code: 'ADMIN_UNAUTHENTICATED',
    });
    expect(named['quote-verifier']).toMatchObject({
      ok: false,
      code: 'SERVICE_UNREACHABLE',
      remedy: expect.any(String),
    });
    expect(named['audit']).toMatchObject({ ok: true });
  });

  it('sets a manifest only over the version that it names', async () => {
    const before = (await command(['manifest', 'get', '--json'])).json<{ version: number; text: string }>();
    const plain = await command(['manifest', 'get']);
    expect(plain.out).toBe(before.text);

    const next = `${before.text}\n# changed by a test\n`;
    const stale = await command(
      ['manifest', 'set', '-', '--if-version', String(before.version + 5), '--json'],
      { stdin: next },
    );
    expect(stale.code).toBe(1);
    expect(stale.json()).toMatchObject({ error: { code: 'MANIFEST_CONFLICT' } });

    const set = await command(['manifest', 'set', '-', '--json'], { stdin: next });
    expect(set.code).toBe(0);
    expect(set.json()).toMatchObject({ version: before.version + 1, tenant: 'default' });
    const { history } = (await command(['manifest', 'history', '--json'])).json<{
      history: { version: number }[];
    }>();
    expect(history.map(({ version }) => version).sort()).toEqual([before.version, before.version + 1]);
    expect((await command(['manifest', 'get'])).out).toBe(next);
  });

  it('sends nothing that the linter refuses', async () => {
    const finished = await command(['manifest', 'set', '-', '--json'], {
      stdin: 'siegel: v1\nworkload: {}\n',
    });
    expect(finished.code).toBe(1);
    expect(finished.json()).toMatchObject({
      error: {
        code: 'MANIFEST_INVALID',
        problems: expect.arrayContaining([
          expect.objectContaining({ code: 'UNKNOWN_KEY', suggestion: 'workloads' }),
        ]),
      },
    });
  });

  it('puts, lists and deletes a secret, whose value is never shown', async () => {
    const value = Buffer.from([0, 1, 2, 0xff, 0x0a]);
    const put = await command(
      ['secret', 'put', 'from-a-test', '--content-type', 'application/octet-stream', '--json'],
      {
        stdin: value,
      },
    );
    expect(put.json()).toMatchObject({
      ok: true,
      vault: 'demo',
      name: 'from-a-test',
      version: expect.any(String),
    });
    const list = await command(['secret', 'list', '--json']);
    const { secrets } = list.json<{ secrets: { name: string }[] }>();
    expect(secrets.find(({ name }) => name === 'from-a-test')).toMatchObject({
      contentType: 'application/octet-stream',
    });
    expect(list.out).not.toContain(value.toString('base64'));
    expect((await command(['secret', 'delete', 'from-a-test', '--json'])).json()).toMatchObject({ ok: true });
    expect((await command(['secret', 'list'])).out).not.toContain('from-a-test');
    const again = await command(['secret', 'delete', 'from-a-test', '--json']);
    expect(again).toMatchObject({ code: 1 });
    expect(again.json()).toMatchObject({ error: { code: 'NOT_FOUND' } });
  });

  it('answers why an enclave was denied, and pages through everything', async () => {
    const denied = jsonLines(await command(['audit', 'query', '--type', 'attestation.denied', '--json']));
    expect(denied).toHaveLength(1);
    expect(denied[0]).toMatchObject({
      event: { outcome: 'denied', reason: { code: 'MEASUREMENT_NOT_ALLOWED' } },
    });
    const person = await command(['audit', 'query', '--outcome', 'denied']);
    expect(person.out).toContain('MEASUREMENT_NOT_ALLOWED');

    const all = jsonLines(await command(['audit', 'query', '--all', '--oldest', '--json']));
    const positions = all.map((event) => event['position']);
    expect(positions).toEqual(positions.map((_, index) => index + 1));
    const few = jsonLines(await command(['audit', 'query', '--limit', '2', '--json']));
    expect(few.map((event) => event['position'])).toEqual([positions.length, positions.length - 1]);
    expect((await command(['audit', 'query', '--type', 'no.such', '--json'])).json()).toMatchObject({
      error: { code: 'QUERY_INVALID' },
    });
  });

  it('follows the log from its beginning while events are added, until it is told to stop', async () => {
    const env = { ...process.env, SIEGEL_STATE: state };
    const args = [
      'scripts/commands.mjs',
      'siegel',
      'audit',
      'tail',
      '--after',
      '0',
      '--type',
      'secret.set',
      '--json',
    ];
    const tail = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = new Promise<number | null>((done) => tail.on('exit', done));
    let out = '';
    tail.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    await command(['secret', 'put', 'seen-by-tail'], { stdin: 'v' });
    const deadline = Date.now() + 20_000;
    while (!out.includes('seen-by-tail') && Date.now() < deadline)
      await new Promise((done) => setTimeout(done, 50));
    tail.kill('SIGINT');
    expect(await ended).toBe(0);
    const names = jsonLines({ out } as Finished).map(
      ({ event }) => (event as { data: { objectName: string } }).data.objectName,
    );
    expect(names).toEqual(expect.arrayContaining(['seen-by-tail']));
  }, 30_000);

  it('shows the collateral of the verifier', async () => {
    const finished = await command(['collateral', 'show', '--json']);
    expect(finished.json()).toMatchObject({ collateral: [{ tee: 'sgx', simulated: true }] });
    expect((await command(['collateral', 'show'])).out).toMatch(/^tee +fmspc/);
  });

  it('does not trust a service whose CA it does not know', async () => {
    const { release } = JSON.parse(readFileSync(join(state, 'siegel.json'), 'utf8')) as {
      release: { url: string };
    };
    const args = ['manifest', 'get', '--url', release.url, '--ca-file', join(folder, 'other.pem'), '--json'];
    writeFileSync(join(folder, 'other.pem'), '');
    const env = { SIEGEL_STATE: '', SIEGEL_ADMIN_TOKEN_FILE: join(state, 'admin.token') };
    const finished = await command(args, { env });
    expect(finished.code).toBe(1);
    expect(finished.json()).toMatchObject({ error: { code: 'SERVICE_TLS_UNTRUSTED' } });
  });
});
