import { type AuditEvent, STREAMS, SUBJECTS } from '#contracts';
import type { NatsRequests } from '#platform';
import { ed25519Signer, EMPTY_ROOT, extendTiles, signCheckpoint } from '#transparency';
import { AckPolicy, DeliverPolicy, type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from '../apps/cli/src/main.js';
import { recordingTerminal } from '../apps/cli/src/terminal/recording-terminal.js';
import { AuditDeployment, ORIGIN, TestEmitter, until } from './audit-deployment.js';
import { entriesIn, published as publishedAgain, ServedLog } from './audit-served-log.js';

const OTHER = 'siegel.test/other';
const TENANTS = ['default', 'other'] as const;
const deployment = new AuditDeployment({ SIEGEL_AUDIT_CHECKPOINT_INTERVAL_MS: '100' });
const emitter = new TestEmitter(deployment.emitterKey);
const file = (name: string) => join(deployment.folder, name);
const tree = join(deployment.state, 'tree');
let requests: NatsRequests;
let manager: JetStreamManager;
/** Dated long enough ago for what is missing among them to be judged. */
const old = new Date(Date.now() - 600_000).toISOString();

async function append(tenant: (typeof TENANTS)[number], change: object = { time: old }): Promise<number> {
  const { entry } = emitter.event({ tenant, ...change });
  const answer = await requests.request(SUBJECTS.auditAppend, entry, 5_000);
  return (JSON.parse(Buffer.from(answer).toString()) as { promise: { index: number } }).promise.index;
}
const published = (tenant: string, size: number) =>
  until(
    async () => {
      const note = await (await deployment.get(`/v1/logs/${tenant}/checkpoint`)).text();
      return Number(note.split('\n')[1]) >= size;
    },
    10_000,
    `no checkpoint of ${size} for ${tenant}`,
  );

async function siegel(...args: string[]) {
  const terminal = recordingTerminal({ cwd: deployment.folder });
  const code = await run(['audit', ...args, '--json', '--trust', file('trust.json')], terminal);
  const lines = terminal.written.out.split('\n').filter((line) => line !== '');
  return {
    code,
    err: terminal.written.err,
    lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

/** A copy of the published logs in which the operator, who has the key, leaves one entry of one log out. */
async function withoutEntry(folder: string, tenant: string, origin: string, index: number): Promise<void> {
  cpSync(tree, folder, { recursive: true });
  const entries = entriesIn(join(tree, tenant), origin, deployment.logKey.privateKey).filter(
    (_, i) => i !== index,
  );
  rmSync(join(folder, tenant), { recursive: true });
  const storage = {
    read: () => Promise.resolve(undefined),
    write: (path: string, bytes: Uint8Array) => {
      mkdirSync(dirname(join(folder, tenant, path)), { recursive: true });
      writeFileSync(join(folder, tenant, path), bytes);
      return Promise.resolve();
    },
  };
  const head = await extendTiles(storage, { size: 0, root: EMPTY_ROOT }, entries.length, (start, end) =>
    entries.slice(start, end),
  );
  const signer = ed25519Signer(origin, deployment.logKey.privateKey);
  writeFileSync(
    join(folder, tenant, 'checkpoint'),
    signCheckpoint({ origin, ...head, extensions: [] }, [signer]),
  );
}

/** A consumer of one tenant's events, and credentials for it. */
async function credentials(tenant: string, change: object = {}): Promise<string> {
  const consumer = `auditor-${tenant}`;
  await manager.consumers.add(STREAMS.events, {
    durable_name: consumer,
    ack_policy: AckPolicy.All,
    filter_subject: `${SUBJECTS.events}.${tenant}.>`,
    max_ack_pending: 65_536,
    ...change,
  });
  const path = file(`${tenant}.creds.json`);
  const seed = readFileSync(file('operator.seed'), 'utf8').trim();
  const nats = {
    url: deployment.natsUrl,
    seed,
    inboxPrefix: '_INBOX_operator',
    stream: STREAMS.events,
    consumer,
  };
  const trust = JSON.parse(readFileSync(file('trust.json'), 'utf8')) as object;
  writeFileSync(
    path,
    JSON.stringify({
      siegelCredentials: 1,
      name: 'test',
      tenant,
      nats,
      audit: { url: deployment.url },
      trust,
    }),
  );
  return path;
}

beforeAll(async () => {
  await deployment.start();
  requests = await deployment.requests();
  manager = await jetstreamManager(await deployment.connect('operator'));
  await until(
    async () => manager.streams.info(STREAMS.events).then(Boolean, () => false),
    10_000,
    'no stream',
  );
  let last = { default: 0, other: 0 };
  for (let i = 0; i < 40; i++) {
    const tenant = TENANTS[i % 2]!;
    last = { ...last, [tenant]: await append(tenant) };
  }
  for (const tenant of TENANTS) await published(tenant, last[tenant] + 1);
}, 60_000);
afterAll(() => deployment.close());

describe('siegel audit verify --all-tenants', () => {
  it('verifies every log, and the numbers over all of them', async () => {
    const { code, lines } = await siegel('verify', '--all-tenants', '--tiles', tree);
    expect(code).toBe(0);
    expect(lines[0]).toMatchObject({ ok: true, frauds: [], logs: [{ origin: ORIGIN }, { origin: OTHER }] });
    const token = ['--audit-token-file', join(deployment.state, 'api.token')];
    const served = await siegel('verify', '--all-tenants', '--tiles', `${deployment.url}/v1/logs`, ...token);
    expect([served.code, served.lines[0]?.['ok']]).toEqual([0, true]);
  });

  it('finds an event that was left out of one log, which no log alone shows', async () => {
    const copy = file('cut');
    await withoutEntry(copy, 'other', OTHER, 7);
    for (const tenant of TENANTS) {
      const alone = await siegel('verify', '--tenant', tenant, '--tiles', join(copy, tenant));
      expect([alone.code, alone.lines[0]?.['ok']]).toEqual([0, true]);
    }
    const { code, lines } = await siegel('verify', '--all-tenants', '--tiles', copy);
    expect(code).toBe(12);
    expect(lines[0]).toMatchObject({ ok: false, frauds: [{ kind: 'dropped' }] });
  });

  it('names the log in which a fraud is', async () => {
    const copy = file('edited');
    cpSync(tree, copy, { recursive: true });
    writeFileSync(join(copy, 'other', 'checkpoint'), readFileSync(join(copy, 'default', 'checkpoint')));
    const { code, lines } = await siegel('verify', '--all-tenants', '--tiles', copy);
    expect(code).toBe(10);
    expect(lines[0]).toMatchObject({ frauds: [{ log: OTHER, kind: 'forged' }] });
  });

  it('compares with remembered checkpoints, each of its own log', async () => {
    const kept = TENANTS.map((tenant) => ['--checkpoint', join(tree, tenant, 'checkpoint')]).flat();
    expect((await siegel('verify', '--all-tenants', '--tiles', tree, ...kept)).code).toBe(0);
    const copy = file('forked');
    await withoutEntry(copy, 'default', ORIGIN, 3);
    const { code, lines } = await siegel('verify', '--all-tenants', '--tiles', copy, ...kept);
    expect([code, (lines[0]?.['frauds'] as { log: string }[])[0]?.log]).toEqual([14, ORIGIN]);
  });

  it.each([
    ['--tenant', 'default'],
    ['--log-key', 'x'],
    ['--promise', 'x'],
  ])('does not go with %s', async (...more) => {
    expect((await siegel('verify', '--all-tenants', '--tiles', tree, ...more)).code).toBe(2);
  });
});

describe('siegel audit follow', () => {
  it('follows several tenants together, and ends with the fraud of one', async () => {
    const files = [await credentials('default'), await credentials('other')];
    const creds = files.flatMap((path) => ['--creds', path]);
    const { code, lines } = await siegel('follow', ...creds, '--once');
    expect({ code, last: lines.at(-1) }).toMatchObject({ code: 0 });
    const seen = lines.flatMap(({ verified }) =>
      verified === undefined ? [] : [(verified as { log: string }).log],
    );
    expect([...new Set(seen)].sort()).toEqual([ORIGIN, OTHER]);
    expect(seen.filter((log) => log === OTHER)).toHaveLength(20);
    // What is remembered of one is another history now.
    const state = JSON.parse(readFileSync(`${files[1]!}.state`, 'utf8')) as { checkpoint: string };
    await withoutEntry(file('other-history'), 'other', OTHER, 2);
    state.checkpoint = readFileSync(file('other-history/other/checkpoint'), 'utf8');
    writeFileSync(`${files[1]!}.state`, JSON.stringify(state));
    const again = await siegel('follow', ...creds, '--once');
    expect(again.code).toBeGreaterThanOrEqual(10);
    expect(again.lines.at(-1)).toMatchObject({ fraud: { log: OTHER } });
    rmSync(`${files[1]!}.state`);
  }, 30_000);

  it('reads from the entry bundles what the broker did not deliver, and calls it dropped without them', async () => {
    const path = file('default.creds.json');
    await manager.consumers.delete(STREAMS.events, 'auditor-default');
    const lost = await append('default', {});
    await published('default', lost + 1);
    await until(
      async () => {
        const { state } = await manager.streams.info(STREAMS.events);
        return state.messages >= 42;
      },
      10_000,
      'not distributed',
    );
    await credentials('default', { deliver_policy: DeliverPolicy.New });
    await published('default', (await append('default', {})) + 1);
    const without = await siegel('follow', '--creds', path, '--once');
    expect([without.code, without.lines.at(-1)]).toEqual([
      12,
      { fraud: expect.objectContaining({ kind: 'dropped', index: lost }) },
    ]);
    await manager.consumers.delete(STREAMS.events, 'auditor-default');
    await credentials('default', { deliver_policy: DeliverPolicy.New });
    await published('default', (await append('default', {})) + 1);
    const token = ['--audit-token-file', join(deployment.state, 'api.token')];
    const filled = await siegel('follow', '--creds', path, '--once', ...token);
    expect(filled.code).toBe(0);
    expect(filled.lines.some(({ notice }) => JSON.stringify(notice ?? '').includes('did not deliver'))).toBe(
      true,
    );
  }, 40_000);

  it('needs no broker where an access token shows the entries', async () => {
    const log = [
      '--log',
      `${deployment.url}/v1/logs/other`,
      '--tenant',
      'other',
      '--state-file',
      file('token.state'),
    ];
    const token = ['--audit-token-file', join(deployment.state, 'api.token')];
    const first = await siegel('follow', ...log, ...token, '--once');
    expect(first.code).toBe(0);
    expect(first.lines.filter(({ verified }) => verified !== undefined)).toHaveLength(20);
    await published('other', (await append('other', {})) + 1);
    const second = await siegel('follow', ...log, ...token, '--once');
    expect(second.lines.filter(({ verified }) => verified !== undefined)).toHaveLength(1);
    const anonymous = await siegel('follow', ...log, '--once');
    expect([anonymous.code, anonymous.lines[0]]).toEqual([
      1,
      expect.objectContaining({ error: expect.objectContaining({ code: 'CREDENTIAL_MISSING' }) }),
    ]);
  }, 30_000);

  it('says what it needs', async () => {
    expect((await siegel('follow', '--once')).code).toBe(2);
    expect((await siegel('follow', '--creds', 'a', '--creds', 'b', '--state-file', 'c', '--once')).code).toBe(
      2,
    );
  });
});

describe('siegel audit follow --all-tenants', () => {
  type Logs = Record<(typeof TENANTS)[number], Buffer[]>;
  const servers: ServedLog[] = [];
  const states = file('states');
  const numberOf = (entry: Buffer): number => {
    const { emitter: by } = (JSON.parse(entry.toString()) as { event: AuditEvent }).event;
    return by.name === 'key-release' ? by.seq : 0;
  };
  /** What an operator with the log's key shows at some address. */
  async function shown(logs: Logs): Promise<ServedLog> {
    const served = await ServedLog.start('/v1/logs/');
    servers.push(served);
    const files = new Map<string, Buffer>();
    for (const tenant of TENANTS) {
      const log = await publishedAgain(logs[tenant], `siegel.test/${tenant}`, deployment.logKey.privateKey);
      for (const [path, bytes] of log.files) files.set(`${tenant}/${path}`, bytes);
    }
    served.files = files;
    return served;
  }
  const follow = ({ url }: ServedLog, state: string, ...more: string[]) => {
    const token = ['--audit-url', url, '--audit-token-file', join(deployment.state, 'api.token')];
    return siegel('follow', '--state-file', join(states, state), ...token, '--once', ...more);
  };
  const copyOfState = (name: string): string => {
    for (const each of readdirSync(states).filter((found) => found.startsWith('honest.')))
      cpSync(join(states, each), join(states, each.replace('honest', name)));
    return name;
  };
  let honest: Logs;
  beforeAll(() => {
    mkdirSync(states);
    honest = {
      default: entriesIn(join(tree, 'default'), ORIGIN, deployment.logKey.privateKey),
      other: entriesIn(join(tree, 'other'), OTHER, deployment.logKey.privateKey),
    };
  });
  afterAll(() => Promise.all(servers.map((served) => served.close())));

  it("catches what no tenant's log shows alone: dropped, doubled and reordered events", async () => {
    // Up to the number 20 the operator is honest, and the auditor remembers it.
    const until20 = (log: Buffer[]) =>
      log.slice(
        0,
        log.findIndex((entry) => numberOf(entry) > 20),
      );
    const before = await shown({ default: until20(honest.default), other: until20(honest.other) });
    const first = await follow(before, 'honest', '--all-tenants');
    expect({ code: first.code, err: first.err }).toEqual({ code: 0, err: '' });
    expect(first.lines.filter(({ notice }) => notice !== undefined)).toEqual([]);

    const without = honest.other.filter((entry) => numberOf(entry) !== 28);
    // Of two events with one number an emitter signed both; each is in its tenant's log alone.
    const doubled = emitter.event({ tenant: 'other', time: old, seq: 27 }).entry;
    const at28 = honest.other.findIndex((entry) => numberOf(entry) === 28);
    const swapped = honest.other.toSpliced(at28, 2, honest.other[at28 + 1]!, honest.other[at28]!);
    const frauds = {
      dropped: { logs: { ...honest, other: without }, code: 12 },
      forged: { logs: { ...honest, other: honest.other.toSpliced(at28, 0, doubled) }, code: 10 },
      rewritten: { logs: { ...honest, other: swapped }, code: 11 },
    };
    const results = await Promise.all([
      follow(await shown(honest), copyOfState('again'), '--all-tenants'),
      ...Object.entries(frauds).map(async ([kind, { logs }]) =>
        follow(await shown(logs), copyOfState(kind), '--all-tenants'),
      ),
      follow(await shown(frauds.dropped.logs), 'part', '--tenant', 'other'),
    ]);
    const part = results.pop()!;
    const [again, ...caught] = results;
    expect({ code: again!.code, err: again!.err }).toEqual({ code: 0, err: '' });
    expect(
      caught.map(({ code, lines }) => ({ code, kind: (lines.at(-1)?.['fraud'] as { kind: string })?.kind })),
    ).toEqual(Object.entries(frauds).map(([kind, { code }]) => ({ code, kind })));
    // Who sees one tenant alone cannot tell, and says so instead of crying wolf.
    expect(part.code).toBe(0);
    expect(part.lines.flatMap(({ notice }) => notice ?? [])).toEqual([
      {
        message: `missing numbers are not judged: the emitters also write to ${ORIGIN}, which is not followed here`,
      },
    ]);
  }, 60_000);

  it('does not go with what is about one log, and refuses a memory that is none', async () => {
    expect((await follow(servers[0]!, 'x', '--all-tenants', '--tenant', 'other')).code).toBe(2);
    expect((await siegel('follow', '--all-tenants', '--creds', 'a', '--once')).code).toBe(2);
    writeFileSync(join(states, 'bad.numbers'), '{"siegelNumbers":1,"runs":{}}');
    const bad = await follow(servers[0]!, 'bad', '--all-tenants');
    expect([bad.code, JSON.stringify(bad.lines[0])]).toEqual([
      2,
      expect.stringContaining("what was remembered of the emitters' numbers"),
    ]);
  }, 30_000);
});
