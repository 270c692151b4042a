import { request as httpRequest } from 'node:http';
import { X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SimulatedPcsServer, SimulatedSgx, type PcsServerOptions } from './index.js';

const NOW = new Date('2026-03-01T12:00:00Z');
let sgx: SimulatedSgx;
let server: SimulatedPcsServer;

async function serve(options: PcsServerOptions = {}): Promise<string> {
  server = new SimulatedPcsServer(sgx, options);
  return server.start();
}

const chainOf = (response: Response, header: string): X509Certificate[] =>
  decodeURIComponent(response.headers.get(header) ?? '')
    .split(/(?=-----BEGIN)/)
    .map((each) => new X509Certificate(each));

describe('the simulated provisioning service', () => {
  beforeEach(() => {
    sgx = SimulatedSgx.create({ seed: 'pcs', now: NOW });
  });
  afterEach(async () => server.stop());

  it('serves the documents of a bundle byte for byte', async () => {
    const base = await serve();
    const bundle = sgx.collateral({ tee: 'tdx', fmspc: '90C06F000000', tcbEvaluationDataNumber: 20 });
    const tcb = await fetch(`${base}/tdx/certification/v4/tcb?fmspc=90c06f000000&update=early`);
    expect(await tcb.text()).toBe(
      `{"tcbInfo":${bundle.tcb_info},"signature":"${bundle.tcb_info_signature}"}`,
    );
    expect(chainOf(tcb, 'TCB-Info-Issuer-Chain').map((each) => each.subject.split('\n')[0])).toEqual([
      'CN=Intel SGX TCB Signing',
      'CN=Intel SGX Root CA',
    ]);
    const identity = await fetch(`${base}/tdx/certification/v4/qe/identity?tcbEvaluationDataNumber=20`);
    expect(await identity.text()).toBe(
      `{"enclaveIdentity":${bundle.qe_identity},"signature":"${bundle.qe_identity_signature}"}`,
    );
    const crl = await fetch(`${base}/sgx/certification/v4/pckcrl?ca=platform&encoding=der`);
    expect(Buffer.from(await crl.arrayBuffer()).toString('hex')).toBe(bundle.pck_crl);
    expect(chainOf(crl, 'SGX-PCK-CRL-Issuer-Chain')).toHaveLength(2);
    const root = await fetch(`${base}/IntelSGXRootCA.der`);
    expect(Buffer.from(await root.arrayBuffer()).toString('hex')).toBe(bundle.root_ca_crl);
    const pem = await fetch(`${base}/sgx/certification/v4/pckcrl?ca=processor`);
    expect(await pem.text()).toMatch(/^-----BEGIN X509 CRL-----\n/);
  });

  it.each([
    ['/sgx/certification/v4/tcb?fmspc=00606a000000', 200],
    ['/sgx/certification/v4/tcb?fmspc=ffffffffffff', 404],
    ['/sgx/certification/v4/tcb?fmspc=xyz', 400],
    ['/sgx/certification/v4/tcb?fmspc=00606a000000&update=early&tcbEvaluationDataNumber=20', 400],
    ['/sgx/certification/v4/tcb?fmspc=00606a000000&update=sometimes', 400],
    ['/sgx/certification/v4/tcb?fmspc=00606a000000&tcbEvaluationDataNumber=12', 410],
    ['/sgx/certification/v4/tcb?fmspc=00606a000000&tcbEvaluationDataNumber=21', 404],
    ['/sgx/certification/v4/pckcrl?ca=nobody', 400],
    ['/sgx/certification/v4/tcbevaluationdatanumbers', 200],
    ['/sgx/certification/v4/fmspcs', 200],
    ['/elsewhere', 404],
  ])('answers %s with %i', async (path, status) => {
    const base = await serve({ fmspcs: ['00606A000000'] });
    expect((await fetch(base + path)).status).toBe(status);
    expect(server.log).toEqual([expect.objectContaining({ url: path, status, method: 'GET' })]);
  });

  it('distinguishes the update channels', async () => {
    const base = await serve();
    const numberOf = async (query: string): Promise<number> => {
      const body = (await (
        await fetch(`${base}/sgx/certification/v4/tcb?fmspc=00606a000000${query}`)
      ).json()) as {
        tcbInfo: { tcbEvaluationDataNumber: number };
      };
      return body.tcbInfo.tcbEvaluationDataNumber;
    };
    expect([await numberOf(''), await numberOf('&update=standard'), await numberOf('&update=early')]).toEqual(
      [19, 19, 20],
    );
  });

  it('speaks the dialect of a PCCS', async () => {
    const base = await serve({ shape: 'pccs' });
    const root = await (await fetch(`${base}/sgx/certification/v4/rootcacrl`)).text();
    const pck = await (await fetch(`${base}/sgx/certification/v4/pckcrl?ca=platform`)).text();
    const bundle = sgx.collateral();
    expect([root, pck]).toEqual([bundle.root_ca_crl, bundle.pck_crl]);
    const platform = sgx.platform();
    const cert = await fetch(
      `${base}/sgx/certification/v4/pckcert?qeid=${platform.qeId.toString('hex').toUpperCase()}`,
    );
    expect(await cert.text()).toBe(platform.pck.pem);
    expect(cert.headers.get('SGX-TCBm')?.toLowerCase()).toBe(sgx.pckFor(platform).tcbm);
    expect(cert.headers.get('SGX-PCK-Certificate-CA-Type')).toBe('platform');
  });

  it('asks for a subscription key where PCS does', async () => {
    const base = await serve({ subscriptionKey: 'k' });
    const url = `${base}/sgx/certification/v4/pckcert?encrypted_ppid=${sgx.platform().encryptedPpid(3072).toString('hex')}`;
    expect((await fetch(url)).status).toBe(401);
    expect((await fetch(url, { headers: { 'Ocp-Apim-Subscription-Key': 'k' } })).status).toBe(200);
  });

  it('speaks the dialect of THIM', async () => {
    const base = await serve({ shape: 'thim' });
    const platform = sgx.platform();
    const path = `${base}/metadata/THIM/sgx/certification/v4/pckcert?qeid=${platform.qeId.toString('hex')}&clientid=production_client&api-version=2021-07-22-preview`;
    expect((await fetch(path)).status).toBe(400);
    const body = (await (await fetch(path, { headers: { Metadata: 'true' } })).json()) as Record<
      string,
      string
    >;
    expect(body['pckCert']).toBe(platform.pck.pem);
    const point = encodeURIComponent(
      'https://api.example/sgx/certification/v4/pckcrl?ca=platform&encoding=der',
    );
    const crl = await fetch(`${base}/sgx/certification/v4/pckcrl?uri=${point}`);
    expect(Buffer.from(await crl.arrayBuffer()).toString('hex')).toBe(sgx.collateral().pck_crl);
  });

  it('plays the faults that a test scripts, once each', async () => {
    const base = await serve();
    const url = `${base}/sgx/certification/v4/tcb?fmspc=00606a000000`;
    const good = await (await fetch(url)).text();
    const script = server.faults;

    script.add('tcb', { kind: 'status', status: 429, retryAfterSeconds: 7 }, 1);
    const limited = await fetch(url);
    expect([limited.status, limited.headers.get('Retry-After')]).toEqual([429, '7']);
    expect(await (await fetch(url)).text()).toBe(good);

    script.add('*', { kind: 'reset' }, 1);
    await expect(fetch(url)).rejects.toThrow();
    script.add('tcb', { kind: 'truncated' }, 1);
    await expect(fetch(url).then((response) => response.text())).rejects.toThrow();
    script.add('tcb', { kind: 'stall' }, 1);
    await expect(
      fetch(url, { signal: AbortSignal.timeout(100) }).then((response) => response.text()),
    ).rejects.toThrow();
    script.add('tcb', { kind: 'slow', ms: 60 }, 1);
    const before = performance.now();
    expect(await (await fetch(url)).text()).toBe(good);
    expect(performance.now() - before).toBeGreaterThan(50);

    script.add('tcb', { kind: 'cut-json' }, 1);
    expect(good.startsWith(await (await fetch(url)).text())).toBe(true);
    script.add('tcb', { kind: 'garbage' }, 1);
    await expect(fetch(url).then((response) => response.json())).rejects.toThrow();
    script.add('tcb', { kind: 'oversized', bytes: 100_000 }, 1);
    expect(await (await fetch(url)).text()).toHaveLength(100_000);
    script.add('tcb', { kind: 'wrong-chain' }, 1);
    const foreign = chainOf(await fetch(url), 'TCB-Info-Issuer-Chain');
    expect(foreign[1]?.publicKey.equals(new X509Certificate(sgx.rootPem).publicKey)).toBe(false);
    script.add('tcb', { kind: 'missing-chain' }, 1);
    expect((await fetch(url)).headers.has('TCB-Info-Issuer-Chain')).toBe(false);
    script.add('tcb', { kind: 'wrong-signer' }, 1);
    expect(await (await fetch(url)).text()).not.toBe(good);
    script.add('tcb', { kind: 'expired' }, 1);
    expect(await (await fetch(url)).text()).toContain('"nextUpdate":"2024-');
    expect(server.requests('tcb').map((entry) => entry.fault)).toEqual([
      undefined,
      'status',
      undefined,
      'reset',
      'truncated',
      'stall',
      'slow',
      'cut-json',
      'garbage',
      'oversized',
      'wrong-chain',
      'missing-chain',
      'wrong-signer',
      'expired',
    ]);
  });

  it('lets a TCB recovery happen while it runs', async () => {
    const base = await serve();
    const url = `${base}/sgx/certification/v4/tcb?fmspc=00606a000000`;
    server.setCollateral({ tcbEvaluationDataNumber: 21 });
    expect(await (await fetch(url)).text()).toContain('"tcbEvaluationDataNumber":21');
  });

  it('stops with answers still pending and tells when it is not running', async () => {
    const base = await serve();
    server.faults.add('*', { kind: 'slow', ms: 60_000 });
    const pending = new Promise<string>((resolve) => {
      httpRequest(`${base}/sgx/certification/v4/fmspcs`, () => resolve('answered'))
        .on('error', () => resolve('cut'))
        .end();
    });
    while (server.log.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await server.stop();
    expect(await pending).toBe('cut');
    expect(() => server.url).toThrow(expect.objectContaining({ code: 'SIMULATOR_SERVER_STATE' }));
  });
});
