import { afterEach, describe, expect, it } from '@jest/globals';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { agentServer } from './agent-server.js';
import { Endpoints } from './endpoints.js';
import type { EvidenceProvider } from './evidence-provider.js';
import { GramineProvider } from './gramine-provider.js';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function serve(provider: EvidenceProvider) {
  const said: string[] = [];
  const endpoints = new Endpoints(undefined, new Set());
  const own = agentServer({ provider, endpoints, say: (text) => said.push(text) });
  server = own;
  await new Promise<void>((listening) => own.listen(0, '127.0.0.1', () => listening()));
  const { port } = own.address() as AddressInfo;
  const ask = async () => {
    const body = JSON.stringify({ runtime_data: 'AAAA' });
    const answer = await fetch(`http://127.0.0.1:${port}/attest/raw`, { method: 'POST', body });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };
  return { ask, said };
}

describe('agentServer', () => {
  it('says that there is no evidence, and not more', async () => {
    const { ask, said } = await serve(new GramineProvider('/nonexistent'));
    expect(await ask()).toMatchObject({ status: 500, body: { code: 'EVIDENCE_UNAVAILABLE' } });
    expect(said[0]).toMatch(/^POST \/attest\/raw: EVIDENCE_UNAVAILABLE: \/nonexistent gives no quote/);
  });

  it('shows nothing of what it did not foresee', async () => {
    const { ask, said } = await serve({
      kind: 'SgxEnclave',
      quote: () => Promise.reject(new Error('something secret')),
    });
    const { status, body } = await ask();
    expect(status).toBe(500);
    expect(JSON.stringify(body) + said.join()).not.toContain('secret');
  });

  it('works on so many requests at once and no more', async () => {
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const { ask } = await serve({ kind: 'SgxEnclave', quote: () => gate.then(() => Buffer.from('quote')) });
    let refused = 0;
    const waiting = Array.from({ length: 20 }, async () => {
      const { status, body } = await ask();
      if (body['code'] === 'OVERLOADED') refused++;
      return status;
    });
    while (refused < 4) await new Promise((resolve) => setTimeout(resolve, 5));
    open();
    const statuses = (await Promise.all(waiting)).sort();
    expect(statuses).toEqual([...Array.from({ length: 16 }, () => 200), 503, 503, 503, 503]);
  });
});

describe('Endpoints', () => {
  const endpoints = new Endpoints(undefined, new Set(['a.example', 'b.example:8443']));
  it.each([
    ['a.example', 'a.example'],
    ['https://A.example/', 'a.example'],
    ['b.example:8443', 'b.example:8443'],
  ])('takes %s', (named, host) => expect(endpoints.host(named)).toBe(host));
  it.each(['b.example', 'a.example:444', 'c.example'])('refuses %s, which is not on its list', (named) => {
    expect(() => endpoints.host(named)).toThrow(expect.objectContaining({ code: 'ENDPOINT_REFUSED' }));
  });
  it.each(['', 'a b', 'a/b', 'a@b', 'http://a.example', 'a.example?x', 'a.example#x', '-a', 'a:99999999'])(
    'refuses "%s", which is no host',
    (named) => {
      expect(() => endpoints.host(named)).toThrow(expect.objectContaining({ code: 'REQUEST_MALFORMED' }));
    },
  );
});
