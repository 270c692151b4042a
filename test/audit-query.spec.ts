import { SUBJECTS } from '#contracts';
import type { NatsRequests } from '#platform';
import { ed25519Verifier, leafHash, parseVerifierKey, verifyTlogProof } from '#transparency';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { hash } from 'node:crypto';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { AuditDeployment, ORIGIN, TestEmitter, until } from './audit-deployment.js';
import { commandLine } from './audit-query/command-line.js';
import { eventStream } from './audit-query/event-stream.js';
import type { FilledLog, Item } from './audit-query/filled-log.js';

interface Page {
  events: Item[];
  next: string | null;
}

const deployment = new AuditDeployment({ SIEGEL_AUDIT_CHECKPOINT_INTERVAL_MS: '200' });
let requests: NatsRequests;
let emitter: TestEmitter;
let firstEntry: Buffer;
const ids: string[] = [];
const other = hash('sha256', 'another enclave');

const append = (entry: Uint8Array) => requests.request(SUBJECTS.auditAppend, entry, 5_000);
const log: FilledLog = { deployment, emitter: () => emitter, append, ids, other };
const search = (query: string) => deployment.json<Page>(`/v1/events?${query}`);

beforeAll(async () => {
  await deployment.start();
  requests = await deployment.requests();
  emitter = new TestEmitter(deployment.emitterKey);
  for (let i = 0; i < 60; i++) {
    const change = {
      ...(i % 2 === 0 ? {} : { workload: 'ledger' }),
      ...(i % 10 === 0 ? { mrenclave: other } : {}),
      ...(i % 5 === 0 ? { reason: { code: 'BINDING_MISMATCH', message: 'The key is not bound.' } } : {}),
    };
    const { id, entry } = emitter.event(change);
    if (i === 0) firstEntry = entry;
    ids.push(id);
    await append(entry);
  }
}, 60_000);
afterAll(() => deployment.close());

describe('GET /v1/events', () => {
  it('finds what was just promised, newest first', async () => {
    const { events } = await search('limit=3');
    expect(events.map(({ event }) => event.id)).toEqual(ids.slice(-3).reverse());
  });

  it.each([
    ['workload=ledger', (i: number) => i % 2 === 1],
    ['workload=ledger&outcome=denied', (i: number) => i % 2 === 1],
    [`mrenclave=${other}`, (i: number) => i % 10 === 0],
    [`mrenclave=${other.toUpperCase()}&outcome=denied`, (i: number) => i % 10 === 0],
    ['reason=BINDING_MISMATCH', (i: number) => i % 5 === 0],
    ['text=binding', (i: number) => i % 5 === 0],
    ['text=Binding mismatch&workload=ledger', (i: number) => i % 10 === 5],
    ['text=binding%20nowhere', () => false],
    ['reason=BINDING_MISMATCH&workload=ledger', (i: number) => i % 10 === 5],
    ['type=attestation.denied&tenant=default', () => true],
    ['type=attestation.granted', () => false],
    ['outcome=granted', () => false],
    ['tenant=other', () => false],
    ['workload=never-seen', () => false],
    ['emitter=key-release&tcbStatus=UpToDate', () => true],
    [`mrsigner=${hash('sha256', 'signer')}&workload=ledger`, (i: number) => i % 2 === 1],
    [`mrsigner=${other}`, () => false],
    ['protocol=native&simulated=true&fmspc=00906ED50000&instance=test-1', () => true],
    ['simulated=false&type=attestation.denied', () => false],
    [`boundKey=${'k'.repeat(43)}&reason=BINDING_MISMATCH`, (i: number) => i % 5 === 0],
    ['field=data.manifest.version:3&workload=ledger', (i: number) => i % 2 === 1],
    ['field=data.conditions.name:mrenclave&field=data.evidence.isvSvn:2&tenant=default', () => true],
    ['field=data.evidence.isvSvn:3', () => false],
    ['field=workload:ledger', (i: number) => i % 2 === 1],
  ])('filters %s', async (query, wanted) => {
    const { events } = await search(`${query}&limit=500`);
    expect(events.map(({ event }) => event.id)).toEqual(ids.filter((_, i) => wanted(i)).reverse());
  });

  it('finds one enclave by its session, and one event by its id', async () => {
    const { events } = await search(`session=${ids[7]}`);
    expect(events.map(({ event }) => event.id)).toEqual([ids[7]]);
    const one = await deployment.json<Item>(`/v1/events/${ids[7]}`);
    expect(one).toEqual(events[0]);
    expect((await deployment.get('/v1/events/00000000-0000-7000-8000-000000000000')).status).toBe(404);
    expect((await deployment.get('/v1/events/x')).status).toBe(404);
  });

  it('filters by the time of logging', async () => {
    const all = await search('order=oldest&limit=500');
    const middle = all.events[30]!.loggedAt;
    const from = await search(`order=oldest&limit=500&from=${middle}`);
    const to = await search(`order=oldest&limit=500&to=${middle}`);
    expect(from.events.every(({ loggedAt }) => loggedAt >= middle)).toBe(true);
    expect(to.events.every(({ loggedAt }) => loggedAt < middle)).toBe(true);
    expect(from.events.length + to.events.length).toBe(all.events.length);
    expect((await search('from=2099-01-01T00:00:00Z')).events).toEqual([]);
  });

  it.each(['newest', 'oldest'])('pages through everything once, %s first', async (order) => {
    const seen: string[] = [];
    let cursor: string | null = null;
    for (let pages = 0; pages < 20; pages++) {
      const query: string = `type=attestation.denied&order=${order}&limit=7${cursor === null ? '' : `&cursor=${cursor}`}`;
      const page: Page = await search(query);
      seen.push(...page.events.map(({ event }) => event.id));
      cursor = page.next;
      if (cursor === null || page.events.length === 0) break;
    }
    expect(seen).toEqual(order === 'oldest' ? ids : [...ids].reverse());
  });

  it('goes on from an oldest-first cursor when new events come', async () => {
    const { next } = await search('order=oldest&limit=500&tenant=other');
    const { id, entry } = emitter.event({ tenant: 'other' });
    await append(entry);
    const { events } = await search(`order=oldest&limit=500&tenant=other&cursor=${next}`);
    expect(events.map(({ event }) => event.id)).toEqual([id]);
  });

  it.each([
    ['unknown=1', 'QUERY_INVALID'],
    ['limit=0', 'QUERY_INVALID'],
    ['limit=501', 'QUERY_INVALID'],
    ['mrenclave=xyz', 'QUERY_INVALID'],
    ['type=none', 'QUERY_INVALID'],
    ['from=yesterday', 'QUERY_INVALID'],
    ['field=data.secret:1', 'QUERY_INVALID'],
    ['field=workload', 'QUERY_INVALID'],
    ['mrsigner=abc', 'QUERY_INVALID'],
    ['simulated=maybe', 'QUERY_INVALID'],
    [`text=${'x'.repeat(201)}`, 'QUERY_INVALID'],
    ['text=...', 'QUERY_INVALID'],
    ['cursor=abc', 'CURSOR_INVALID'],
  ])('refuses %s', async (query, code) => {
    const response = await deployment.get(`/v1/events?${query}`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code });
  });

  it('refuses a cursor of another query', async () => {
    const { next } = await search('limit=5');
    const response = await deployment.get(`/v1/events?limit=5&workload=ledger&cursor=${next}`);
    expect(await response.json()).toMatchObject({ code: 'CURSOR_INVALID' });
  });

  it('needs the token, which only its owner can read', async () => {
    expect(statSync(join(deployment.state, 'api.token')).mode & 0o777).toBe(0o600);
    for (const authorization of [
      '',
      'Bearer wrong',
      `Basic ${deployment.token}`,
      `Bearer ${deployment.token}x`,
    ]) {
      const response = await deployment.get('/v1/events', { authorization });
      expect(response.status).toBe(401);
      expect(await response.json()).toMatchObject({ code: 'ADMIN_UNAUTHENTICATED' });
    }
  });
});

describe('GET /v1/events/counts', () => {
  interface Counts {
    counts: { at: string; value: string | null; count: number }[];
  }
  const total = ({ counts }: Counts, value: string | null) =>
    counts.filter((cell) => cell.value === value).reduce((sum, { count }) => sum + count, 0);

  it('counts by the values of a field', async () => {
    const byWorkload = await deployment.json<Counts>(
      '/v1/events/counts?by=workload&bucket=day&type=attestation.denied&tenant=default',
    );
    expect(total(byWorkload, 'ledger')).toBe(30);
    expect(total(byWorkload, 'payments')).toBe(30);
    const byReason = await deployment.json<Counts>(
      '/v1/events/counts?by=reason&bucket=minute&workload=ledger',
    );
    expect(total(byReason, 'BINDING_MISMATCH')).toBe(6);
    expect(byReason.counts.every(({ at }) => at.endsWith(':00.000Z'))).toBe(true);
    const byTcb = await deployment.json<Counts>('/v1/events/counts?by=tcbStatus&type=service.started');
    expect(total(byTcb, null)).toBe(1);
    expect((await deployment.json<Counts>('/v1/events/counts?workload=never-seen')).counts).toEqual([]);
  });

  it('counts without steps of time, and by filters that the index does not decide alone', async () => {
    const all = await deployment.json<Counts & { total: number }>(
      '/v1/events/counts?by=workload&bucket=none&type=attestation.denied&tenant=default',
    );
    expect(all.total).toBe(60);
    expect(all.counts).toEqual([
      { at: null, value: expect.any(String), count: 30 },
      { at: null, value: expect.any(String), count: 30 },
    ]);
    const narrowed = await deployment.json<Counts & { total: number }>(
      '/v1/events/counts?by=tcbStatus&bucket=none&tenant=default&field=data.evidence.isvSvn:2',
    );
    expect(narrowed).toMatchObject({ total: 60, counts: [{ at: null, value: 'UpToDate', count: 60 }] });
    const one = await deployment.json<Counts & { total: number }>(
      `/v1/events/counts?by=reason&session=${ids[5]}`,
    );
    expect(one.counts.map(({ value, count }) => [value, count])).toEqual([['BINDING_MISMATCH', 1]]);
  });

  it('refuses fields that it cannot count by', async () => {
    expect((await deployment.get('/v1/events/counts?by=session')).status).toBe(400);
  });
});

describe('GET /v1/events/export', () => {
  it('streams everything that matches, oldest first, as NDJSON and CSV', async () => {
    const ndjson = await (
      await deployment.get('/v1/events/export?type=attestation.denied&tenant=default')
    ).text();
    const items = ndjson
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Item);
    expect(items.slice(0, 60).map(({ event }) => event.id)).toEqual(ids);
    const csv = await deployment.get('/v1/events/export?format=csv&workload=ledger');
    expect(csv.headers.get('content-type')).toContain('text/csv');
    const lines = (await csv.text()).trimEnd().split('\r\n');
    expect(lines[0]).toMatch(/^position,loggedAt,log,index,id,/);
    expect(lines.slice(1).map((line) => line.split(',')[4])).toEqual(ids.filter((_, i) => i % 2 === 1));
  });

  it('streams OCSF', async () => {
    const ocsf = await deployment.get('/v1/events/export?format=ocsf&workload=ledger');
    expect(ocsf.headers.get('content-disposition')).toContain('siegel-events.ocsf.ndjson');
    const lines = (await ocsf.text()).trimEnd().split('\n');
    const events = lines.map((line) => JSON.parse(line) as { class_uid: number; metadata: { uid: string } });
    expect(events.map(({ metadata }) => metadata.uid)).toEqual(ids.filter((_, i) => i % 2 === 1));
    expect(new Set(events.map(({ class_uid: uid }) => uid))).toEqual(new Set([3_002]));
  });

  it('needs the token and known filters', async () => {
    expect((await fetch(`${deployment.url}/v1/events/export`)).status).toBe(401);
    expect((await deployment.get('/v1/events/export?format=xml')).status).toBe(400);
  });
});

describe('GET /v1/events/story', () => {
  it('tells everything about one enclave, by session and by key', async () => {
    interface Story {
      summary: { events: number; complete: boolean; firstAttestation: { id: string } };
      events: Item[];
      next: number | null;
    }
    const bySession = await deployment.json<Story>(`/v1/events/story?session=${ids[3]}&limit=500`);
    // All events of the test emitter are about one key.
    expect(bySession.events.map(({ event }) => event.id).filter((id) => ids.includes(id))).toEqual(ids);
    expect(bySession.summary).toMatchObject({ complete: true, firstAttestation: { id: ids[0] } });
    const key = 'k'.repeat(43);
    const seen: string[] = [];
    let after = 0;
    for (let next: number | null = 0; next !== null; after = next ?? 0) {
      const page: Story = await deployment.json(`/v1/events/story?boundKey=${key}&limit=25&after=${after}`);
      seen.push(...page.events.map(({ event }) => event.id));
      ({ next } = page);
    }
    expect(seen).toEqual(bySession.events.map(({ event }) => event.id));
  });

  it.each([
    ['', 400, 'QUERY_INVALID'],
    ['session=a&boundKey=b', 400, 'QUERY_INVALID'],
    [`mrenclave=${other}`, 400, 'QUERY_INVALID'],
    [`session=a&platform=${other}`, 400, 'QUERY_INVALID'],
    ['session=nobody', 404, 'NOT_FOUND'],
    [`mrenclave=${other}&platform=${other}`, 404, 'NOT_FOUND'],
    [`session=nobody&limit=501`, 400, 'QUERY_INVALID'],
  ])('refuses "%s"', async (query, status, code) => {
    const response = await deployment.get(`/v1/events/story?${query}`);
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([status, code]);
  });

  it('needs the token', async () => {
    expect((await fetch(`${deployment.url}/v1/events/story?session=${ids[3]}`)).status).toBe(401);
  });
});

commandLine(log);
eventStream(log);

describe('the log over HTTP', () => {
  it('gives a receipt that verifies offline with the log key', async () => {
    const receipt = await (
      await deployment.get(`/v1/log/proof/inclusion?id=${ids[0]}&format=tlog-proof`)
    ).text();
    const vkey = (await (await deployment.get('/v1/log/key')).text()).trim();
    const { name, publicKey } = parseVerifierKey(vkey);
    expect(publicKey.equals(deployment.logPublicKey)).toBe(true);
    const trust = { origin: ORIGIN, log: ed25519Verifier(name, publicKey) };
    const { index } = verifyTlogProof(receipt, leafHash(firstEntry), trust);
    expect(index).toBe((await deployment.json<Item>(`/v1/events/${ids[0]}`)).index);
  });

  it('gives a receipt for an event that was promised a moment ago', async () => {
    const { id, entry } = emitter.event();
    await append(entry);
    const receipt = await (await deployment.get(`/v1/log/proof/inclusion?id=${id}&format=tlog-proof`)).text();
    verifyTlogProof(receipt, leafHash(entry), {
      origin: ORIGIN,
      log: ed25519Verifier(ORIGIN, deployment.logPublicKey),
    });
  });

  it('shows checkpoint, tiles and proofs to everybody, events only with the token', async () => {
    const open = (path: string) => fetch(`${deployment.url}${path}`);
    await until(async () => (await open('/v1/log/checkpoint')).ok, 5_000, 'no checkpoint');
    const size = Number((await (await open('/v1/log/checkpoint')).text()).split('\n')[1]);
    const tile = await open(`/v1/log/tile/0/000.p/${size}`);
    expect(tile.status).toBe(200);
    expect(tile.headers.get('content-type')).toBe('application/octet-stream');
    expect(tile.headers.get('cache-control')).toContain('immutable');
    expect((await tile.arrayBuffer()).byteLength).toBe(size * 32);
    expect((await open(`/v1/log/tile/entries/000.p/${size}`)).status).toBe(401);
    expect((await open('/v1/log/proof/inclusion?index=0')).status).toBe(200);
    expect((await open('/v1/log/proof/consistency?from=1')).status).toBe(200);
  });

  it.each([
    '/v1/log/tile/0/..%2f..%2fcheckpoint',
    '/v1/log/tile/0/../../../log.db',
    '/v1/log/tile/0/999',
    '/v1/log/tile/0/0',
    '/v1/logs/nobody/checkpoint',
    '/v1/log/proof/inclusion?index=999999',
    '/v1/nothing',
  ])('answers 404 to %s', async (path) => {
    expect((await deployment.get(path)).status).toBe(404);
  });

  it.each([
    '/v1/log/proof/inclusion',
    '/v1/log/proof/inclusion?index=-1',
    '/v1/log/proof/consistency?from=9&to=8',
  ])('answers 400 to %s', async (path) => {
    expect(await (await deployment.get(path)).json()).toMatchObject({ code: 'QUERY_INVALID' });
  });
});

describe('operation', () => {
  it('describes itself', async () => {
    const document = await deployment.json<{ openapi: string; paths: Record<string, unknown> }>(
      '/openapi.json',
    );
    expect(document.openapi).toMatch(/^3\.1/);
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining(['/v1/events', '/v1/events/{id}', '/v1/events/stream', '/v1/log/checkpoint']),
    );
    const parameters = (document.paths['/v1/events'] as { get: { parameters: { name: string }[] } }).get
      .parameters;
    expect(parameters.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'tenant',
        'type',
        'workload',
        'mrenclave',
        'outcome',
        'reason',
        'from',
        'to',
        'session',
        'cursor',
      ]),
    );
  });

  it('is live and ready, and counts what it does', async () => {
    expect((await fetch(`${deployment.url}/health/live`)).status).toBe(200);
    expect(await (await fetch(`${deployment.url}/health/ready`)).json()).toMatchObject({ ok: true });
    const metrics = await (await fetch(`${deployment.url}/metrics`)).text();
    expect(Number(/siegel_audit_entries_total (\d+)/.exec(metrics)![1])).toBeGreaterThan(60);
    expect(metrics).toMatch(/siegel_audit_checkpoint_size\{log="siegel.test\/default"\} \d+/);
  });
});
