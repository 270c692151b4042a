import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import type { JsonAnswer } from '../apps/cli/src/demo/https-json.js';
import {
  expectProblem,
  type Refusals,
  type RunningSiegel,
  sendRaw,
  refusingDeployment,
} from './harness/index.js';

jest.setTimeout(120_000);
const SECRET = `the secret ${randomBytes(16).toString('hex')}`;

let siegel: RunningSiegel;
let refusals: Refusals;

beforeAll(async () => {
  ({ siegel, refusals } = await refusingDeployment(SECRET));
});
afterAll(() => siegel?.stop());

const enclave = (word = 'app') => siegel.machines.enclave(word);
const valid = (change: Record<string, unknown> = {}) => ({ ...enclave().requestBody(), ...change });
const JSON_TYPE = { 'content-type': 'application/json' };
const send = (
  body: string | Buffer,
  headers: Record<string, string> = JSON_TYPE,
  path = '/v1/attest',
): Promise<JsonAnswer> => siegel.service.call('POST', path, { body, headers });

describe('bodies that are no request', () => {
  const deep = (depth: number): string => `{"evidence":${'['.repeat(depth)}${']'.repeat(depth)}}`;

  it.each<[string, () => string | Buffer]>([
    ['nothing', () => ''],
    ['no JSON', () => 'evidence=AAAA'],
    ['half a JSON', () => JSON.stringify(valid()).slice(0, -3)],
    ['two JSON values', () => '{} {}'],
    ['a JSON string', () => '"evidence"'],
    ['a JSON list', () => JSON.stringify([valid()])],
    ['null', () => 'null'],
    [
      'no UTF-8',
      () => Buffer.concat([Buffer.from('{"evidence":"'), Buffer.of(0xff, 0xfe), Buffer.from('"}')]),
    ],
    ['UTF-16', () => Buffer.from(JSON.stringify(valid()), 'utf16le')],
    ['30,000 levels of lists', () => deep(30_000)],
    ['an unknown key', () => JSON.stringify(valid({ admin: true }))],
    ['__proto__', () => `{"__proto__":{"workload":"app"},${JSON.stringify(valid()).slice(1)}`],
    [
      '__proto__ in escapes',
      () => `{"\\u005f_proto__":{"workload":"app"},${JSON.stringify(valid()).slice(1)}`,
    ],
    [
      'constructor.prototype',
      () => JSON.stringify(valid({ constructor: { prototype: { workload: 'app' } } })),
    ],
    ['a number as evidence', () => JSON.stringify(valid({ evidence: 1 }))],
    ['an object as evidence', () => JSON.stringify(valid({ evidence: { length: 4 } }))],
    ['a format that is not there', () => JSON.stringify(valid({ format: 'sev-snp' }))],
    ['no evidence', () => JSON.stringify({ publicKey: enclave().requestBody().publicKey })],
    ['no key', () => JSON.stringify({ evidence: 'AAAA' })],
    ['a workload of 10,000 characters', () => JSON.stringify(valid({ workload: 'x'.repeat(10_000) }))],
  ])('%s', async (_what, body) => {
    await refusals.expectDenied(await send(body()), 'REQUEST_MALFORMED', 'REQUEST_MALFORMED');
  });

  it('a workload named by half of a character is denied as every other, and the log has it', async () => {
    const answer = await send(JSON.stringify(valid({ workload: 'x\ud800' })));
    await refusals.expectDenied(answer, 'RELEASE_DENIED', 'WORKLOAD_UNKNOWN');
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/yaml',
    'multipart/form-data',
    'application/cbor',
    'nonsense',
  ])('of the content type %s', async (type) => {
    const answer = await send(JSON.stringify(valid()), { 'content-type': type });
    await refusals.expectDenied(answer, 'CONTENT_TYPE_UNSUPPORTED', 'CONTENT_TYPE_UNSUPPORTED');
  });

  it('of no content type', async () => {
    const answer = await send(JSON.stringify(valid()), {});
    await refusals.expectDenied(answer, 'CONTENT_TYPE_UNSUPPORTED', 'CONTENT_TYPE_UNSUPPORTED');
  });

  it('to the endpoint by another spelling of its path, which is logged all the same', async () => {
    const answer = await send('{}', JSON_TYPE, '/v1/%61ttest?x=1');
    await refusals.expectDenied(answer, 'REQUEST_MALFORMED', 'REQUEST_MALFORMED');
  });

  it.each([
    ['GET', '/v1/attest', 'NOT_FOUND'],
    ['POST', '/v1/attest/', 'NOT_FOUND'],
    ['POST', '//v1/attest', 'NOT_FOUND'],
    ['POST', '/v1/ATTEST', 'NOT_FOUND'],
    ['POST', '/v1/attest%00', 'NOT_FOUND'],
    ['POST', '/v1/attest%zz', 'REQUEST_MALFORMED'],
    ['DELETE', '/v1/release', 'NOT_FOUND'],
  ] as const)('%s %s is no endpoint', async (method, path, code) => {
    const answer = await siegel.service.call(method, path, {
      ...(method === 'GET' ? {} : { body: JSON.stringify(valid()), headers: JSON_TYPE }),
    });
    expectProblem(answer, code);
    await refusals.expectNone();
  });
});

describe('bytes that are no HTTP', () => {
  const { stringify } = JSON;
  const body = (): string => stringify(valid());
  const head = (...lines: string[]): string =>
    ['POST /v1/attest HTTP/1.1', 'Host: localhost', 'Content-Type: application/json', ...lines, '', ''].join(
      '\r\n',
    );
  const raw = (bytes: string | Buffer, options = {}) =>
    sendRaw(siegel.endpoints.release, siegel.layout.caCertificate, bytes, options);
  const length = (text: string): string => `Content-Length: ${Buffer.byteLength(text)}`;
  afterEach(async () => {
    expect(siegel.pids()).toEqual(siegel.started.pids);
  });

  it('before all: the same connection with good input is served', async () => {
    const text = body();
    const { statuses, text: answer } = await raw(head(length(text), 'Connection: close') + text);
    expect(statuses).toEqual([200]);
    expect(answer).toContain('"release":"');
  });

  it('a chunked body is one as well', async () => {
    const text = body();
    const chunked = `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n0\r\n\r\n`;
    const { statuses } = await raw(head('Transfer-Encoding: chunked', 'Connection: close') + chunked);
    expect(statuses).toEqual([200]);
    await refusals.expectNone();
  });

  it.each<[string, () => string | Buffer]>([
    ['length and chunks at once', () => head(length(body()), 'Transfer-Encoding: chunked') + body()],
    ['two lengths', () => head('Content-Length: 2', 'Content-Length: 3') + '{}'],
    ['a negative length', () => head('Content-Length: -1')],
    ['a length of letters', () => head('Content-Length: 0x10') + '{}'],
    ['an unknown transfer encoding', () => head('Transfer-Encoding: chunked, gzip') + '0\r\n\r\n'],
    ['chunks of no number', () => head('Transfer-Encoding: chunked') + 'zz\r\n{}\r\n0\r\n\r\n'],
    ['a space before the colon', () => head('Content-Length : 2') + '{}'],
    ['a folded header', () => head('X-A: 1\r\n folded', 'Content-Length: 2') + '{}'],
    [
      'a line that ends in LF alone',
      () => 'POST /v1/attest HTTP/1.1\nHost: localhost\nContent-Length: 2\n\n{}',
    ],
    ['a NUL in a header', () => head('X-A: \0', 'Content-Length: 2') + '{}'],
    ['no host', () => 'POST /v1/attest HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}'],
    ['headers of 64 KiB', () => head(`X-A: ${'a'.repeat(65_536)}`)],
    ['the preface of HTTP/2', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['noise', () => randomBytes(4_096)],
  ])('%s', async (_what, bytes) => {
    const { statuses, text } = await raw(bytes());
    expect(statuses.every((status) => status >= 400 && status < 500)).toBe(true);
    expect(statuses.length).toBeLessThanOrEqual(1);
    expect(text).not.toContain('"release"');
    // Node refuses a request without a host by itself, and without a body.
    if (!text.endsWith('\r\n\r\n')) {
      expect(text).toMatch(/content-type: application\/problem\+json/i);
      expect(JSON.parse(text.slice(text.indexOf('\r\n\r\n')))).toMatchObject({
        code: expect.stringMatching(/^REQUEST_/),
        status: statuses[0],
      });
    }
    await refusals.expectNone();
  });

  it('what is behind the stated length is another request, not a part of this one', async () => {
    const smuggled = head(length(body()), 'Connection: close') + body();
    const { statuses } = await raw(head('Content-Length: 2') + '{}' + smuggled);
    expect(statuses).toEqual([400, 200]);
    expect(await refusals.reasons()).toEqual(['REQUEST_MALFORMED']);
  });

  it('a caller that goes away in the middle of its body leaves nothing behind', async () => {
    const text = body();
    await Promise.all(
      Array.from({ length: 20 }, () => raw(head(length(text)) + text.slice(0, 500), { silenceMs: 50 })),
    );
    expect(await refusals.reasons()).toEqual([]);
    expect((await send(text)).status).toBe(200);
  });

  it('plain HTTP and old TLS get no answer', async () => {
    const { hostname, port } = new URL(siegel.endpoints.release);
    await expect(fetch(`http://${hostname}:${port}/v1/ca.pem`)).rejects.toThrow();
    const old = await raw('GET /v1/ca.pem HTTP/1.1\r\nHost: localhost\r\n\r\n', {
      maxVersion: 'TLSv1.1',
      minVersion: 'TLSv1',
    });
    expect(old).toMatchObject({ statuses: [], error: expect.any(String) });
  });
});
