import { STREAMS, eventSubject } from '#contracts';
import { cosignatureVerifier, formatAddCheckpoint, openNote, parseVerifierKey } from '#transparency';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  connect,
  nkeyAuthenticator,
  PermissionViolationError,
  type NatsConnection,
} from '@nats-io/transport-node';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../apps/cli/src/main.js';
import { recordingTerminal } from '../apps/cli/src/terminal/recording-terminal.js';
import {
  certificateFor,
  childrenOf,
  eventually,
  manifestOf,
  type RunningSiegel,
  SiegelCommand,
  signal,
  startSiegel,
  temporaryFolder,
} from './harness/index.js';

jest.setTimeout(120_000);
const folder = temporaryFolder();
const file = (name: string): string => join(folder, name);
let siegel: RunningSiegel;
let promise: { index: number; leafHash: string };

async function command(...args: string[]) {
  const terminal = recordingTerminal({ cwd: folder });
  const code = await run(args, terminal);
  const { out, err } = terminal.written;
  return { code, out, err, json: () => JSON.parse(out) as Record<string, unknown> };
}
const inState = (...args: string[]) => command(...args, '--state', siegel.state);
const receipt = (query: string) => fetch(`${siegel.endpoints.audit}/v1/log/receipt?${query}`);
const attest = async () =>
  (await siegel.machines.enclave('auditors').attest(siegel.service)).response as unknown as {
    promise: { index: number; leafHash: string };
  };

beforeAll(async () => {
  siegel = await startSiegel({
    manifest: manifestOf({ auditors: { certificate: certificateFor('auditors') } }),
  });
  const answer = await attest();
  ({ promise } = answer);
  writeFileSync(file('answer.json'), JSON.stringify(answer));
});
afterAll(async () => {
  await siegel?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('a receipt', () => {
  it('comes with the promise of a release, without any credential, and is checked offline', async () => {
    const fetched = await inState('audit', 'receipt', '--promise', 'answer.json', '--out', 'r.tlog-proof');
    expect(fetched).toMatchObject({ code: 0, err: '' });
    expect(await inState('audit', 'check-receipt', 'r.tlog-proof', '--promise', 'answer.json')).toMatchObject(
      {
        code: 0,
        out: expect.stringContaining(`entry ${promise.index} of `),
      },
    );
    // The log's public key is all that it takes.
    const key = (await (await fetch(`${siegel.endpoints.audit}/v1/log/key`)).text()).trim();
    const alone = await command(
      ...['audit', 'check-receipt', 'r.tlog-proof', '--log-key', key, '--promise', 'answer.json', '--json'],
    );
    expect(alone.json()).toMatchObject({ ok: true, index: promise.index });
  });

  it('is refused for another entry', async () => {
    const other = await inState('audit', 'check-receipt', 'r.tlog-proof', '--leaf', 'ab'.repeat(32));
    expect(other).toMatchObject({ code: 1, out: expect.stringContaining('PROOF_INVALID') });
  });

  it('is found by index, id and leaf hash', async () => {
    const [event] = await siegel.log.all({ type: 'attestation.granted' });
    const texts = await Promise.all(
      [`index=${promise.index}`, `id=${event!.event.id}`, `leaf=${promise.leafHash}`].map(async (query) =>
        (await receipt(query)).text(),
      ),
    );
    for (const text of texts)
      expect(text).toMatch(new RegExp(`^c2sp.org/tlog-proof@v1\nindex ${promise.index}\n`));
  });

  it('carries as many cosignatures as asked for', async () => {
    const text = await (await receipt(`index=${promise.index}&witnesses=1`)).text();
    const { name, publicKey } = parseVerifierKey(witnessKey());
    const note = text.slice(text.indexOf('\n\n') + 2);
    expect(openNote(note, [cosignatureVerifier(name, publicKey)]).verified).toHaveLength(1);
  });

  it.each([
    ['index=999999', 425, 'RECEIPT_NOT_READY'],
    ['index=0&witnesses=2', 425, 'RECEIPT_NOT_READY'],
    [`leaf=${'ab'.repeat(32)}`, 404, 'NOT_FOUND'],
    ['id=0198d3c5-0000-7000-8000-000000000000', 404, 'NOT_FOUND'],
    ['leaf=ab', 400, 'QUERY_INVALID'],
    ['', 400, 'QUERY_INVALID'],
    [`index=0&leaf=${'ab'.repeat(32)}`, 400, 'QUERY_INVALID'],
  ])('for %s is answered with %i %s', async (query, status, code) => {
    const answer = await receipt(query);
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({ code, retryable: status === 425 });
  });
});

describe('siegel audit verify', () => {
  it('verifies the log over HTTP and from the folder, with the witness and a promise', async () => {
    for (const tiles of [[], ['--tiles', siegel.layout.path('audit', 'tree', 'default')]]) {
      await eventually('a cosigned checkpoint', async () => {
        const key = ['--witness', witnessKey(), '--promise', 'answer.json', '--json'];
        const result = await inState('audit', 'verify', ...tiles, ...key);
        return result.code === 0 && result.json()['ok'] === true;
      });
    }
  });
});

const witnessKey = (): string =>
  (JSON.parse(readFileSync(siegel.layout.context, 'utf8')) as { witness: { key: string } }).witness.key;

describe('an auditor', () => {
  interface Credentials {
    nats: { url: string; seed: string; inboxPrefix: string };
  }
  let credentials: Credentials;
  const connectAsAuditor = (): Promise<NatsConnection> =>
    connect({
      servers: credentials.nats.url,
      authenticator: nkeyAuthenticator(new TextEncoder().encode(credentials.nats.seed)),
      inboxPrefix: credentials.nats.inboxPrefix,
      reconnect: false,
    });

  it('is made while everything runs, and nobody else notices', async () => {
    const before = siegel.pids();
    expect(await inState('auditor', 'create', 'alice', '--out', 'alice.json')).toMatchObject({
      code: 0,
      err: '',
    });
    expect(statSync(file('alice.json')).mode & 0o777).toBe(0o600);
    credentials = JSON.parse(readFileSync(file('alice.json'), 'utf8')) as Credentials;
    await attest();
    expect(siegel.pids()).toEqual(before);
    expect((await inState('auditor', 'list')).out).toMatch(/^alice +default /);
  });

  it.each([
    ['a name that is taken', ['alice', '--out', 'second.json'], 'AUDITOR_EXISTS'],
    ['a file that exists', ['bob', '--out', 'alice.json'], 'USAGE'],
    ['a tenant without a log', ['bob', '--tenant', 'nobody'], 'USAGE'],
    ['a name that is none', ['a.b', '--out', 'x.json'], 'USAGE'],
  ])('is not made with %s', async (_, args, code) => {
    const answer = await inState('auditor', 'create', ...args, '--json');
    expect(answer.json()).toMatchObject({ error: { code } });
  });

  it('verifies every event, and goes on where it was', async () => {
    const all = await siegel.log.all();
    const first = await command('audit', 'follow', '--creds', 'alice.json', '--once', '--json');
    expect(first.code).toBe(0);
    const lines = first.out.trim().split('\n');
    expect(lines.filter((line) => line.startsWith('{"verified"'))).toHaveLength(all.length);
    await attest();
    const second = await command(
      'audit',
      'follow',
      '--creds',
      'alice.json',
      '--witness',
      witnessKey(),
      '--once',
    );
    expect(second.code).toBe(0);
    const types = second.out
      .trim()
      .split('\n')
      .slice(0, -1)
      .map((line) => line.split(/\s+/)[2]);
    expect(types).toEqual(['attestation.granted', 'release.granted'].slice(0, types.length));
    expect(types.length).toBeGreaterThan(0);
  });

  it.each([
    ['publish an event', 'publish', eventSubject('default', 'attestation.granted')],
    ['purge the stream', 'publish', `$JS.API.STREAM.PURGE.${STREAMS.events}`],
    ["pull another's events", 'publish', `$JS.API.CONSUMER.MSG.NEXT.${STREAMS.events}.auditor`],
    ['make a consumer', 'publish', `$JS.API.CONSUMER.CREATE.${STREAMS.events}.mine`],
    ["hear another tenant's events", 'subscribe', 'siegel.events.other.>'],
    ["hear another's answers", 'subscribe', '_INBOX_key_release.>'],
  ] as const)('may not %s', async (_, how, subject) => {
    const connection = await connectAsAuditor();
    const violations: string[] = [];
    void (async () => {
      for await (const status of connection.status())
        if (status.type === 'error' && status.error instanceof PermissionViolationError)
          violations.push(status.error.subject);
    })();
    if (how === 'publish') connection.publish(subject, 'forged');
    else connection.subscribe(subject, { callback: () => undefined });
    await connection.flush();
    await eventually('a refusal', () => violations.includes(subject), 5_000);
    await connection.close();
  });

  it('is disconnected when it is removed', async () => {
    const connection = await connectAsAuditor();
    expect(await inState('auditor', 'remove', 'alice')).toMatchObject({ code: 0 });
    await connection.closed();
    await expect(connectAsAuditor()).rejects.toThrow(/authorization/i);
    expect((await inState('auditor', 'remove', 'alice', '--json')).json()).toMatchObject({
      error: { code: 'AUDITOR_UNKNOWN' },
    });
  });
});

describe('a witness that is out of reach', () => {
  it('delays no promise, and cosigns again when it is back', async () => {
    const { pid } = childrenOf(siegel.command.pid).find(({ command: text }) =>
      text.includes('/apps/witness/src/main.js'),
    )!;
    signal(pid, 'SIGSTOP');
    const started = performance.now();
    const { promise: unwitnessed } = await attest();
    expect(performance.now() - started).toBeLessThan(1_500);
    // A receipt is there all the same, without the cosignature.
    expect((await receipt(`index=${unwitnessed.index}`)).status).toBe(200);
    expect((await receipt(`index=${unwitnessed.index}&witnesses=1`)).status).toBe(425);
    signal(pid, 'SIGCONT');
    await eventually('a cosigned receipt', async () => {
      return (await receipt(`index=${unwitnessed.index}&witnesses=1`)).status === 200;
    });
  });
});

describe('siegel audit witness', () => {
  const start = async (): Promise<{ program: SiegelCommand; url: string; key: string }> => {
    const where = ['--name', 'witness.test/own', '--logs', file('logs.txt'), '--folder', file('witness')];
    const program = new SiegelCommand(['audit', 'witness', ...where, '--json']);
    const line = await eventually(
      'the address of the witness',
      () => program.stdout.split('\n')[1] !== undefined && program.stdout,
    );
    return { program, ...(JSON.parse(line) as { url: string; key: string }) };
  };
  const submit = async (url: string): Promise<Response> => {
    const note = await (await fetch(`${siegel.endpoints.audit}/v1/log/checkpoint`)).text();
    return fetch(`${url}/add-checkpoint`, {
      method: 'POST',
      body: formatAddCheckpoint({ oldSize: 0, proof: [], note }),
    });
  };

  it('cosigns a log of a deployment, and remembers it over a restart', async () => {
    writeFileSync(file('logs.txt'), await (await fetch(`${siegel.endpoints.audit}/v1/log/key`)).text());
    const first = await start();
    const cosigned = await submit(first.url);
    expect(cosigned.status).toBe(200);
    const { name, publicKey } = parseVerifierKey(first.key);
    const kept = await (
      await fetch(`${first.url}/checkpoint?origin=${encodeURIComponent('siegel.local/log/default')}`)
    ).text();
    const line = await cosigned.text();
    expect(openNote(kept + line, [cosignatureVerifier(name, publicKey)]).verified).toHaveLength(1);
    // Killed, not stopped: what it cosigned is durable before it answers.
    signal(first.program.pid, 'SIGKILL');
    await first.program.ended();
    const second = await start();
    expect(second.key).toBe(first.key);
    const again = await submit(second.url);
    expect([again.status, again.headers.get('content-type')]).toEqual([409, 'text/x.tlog.size']);
    expect(Number(await again.text())).toBeGreaterThan(0);
    signal(second.program.pid, 'SIGTERM');
    expect(await second.program.ended()).toMatchObject({ code: 0 });
  });
});
