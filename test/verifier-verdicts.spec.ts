import { SUBJECTS } from '#contracts';
import { CollateralEpoch, trustAnchorFromPem, type CollateralBundle } from '#dcap';
import { LocalSigner } from '#pki';
import { SimulatedSgx } from '#simulator';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Deployment, hasNatsServer, VerifierExit, type Verifier } from './verifier-deployment.js';

jest.setTimeout(60_000);
const VECTORS = join(process.cwd(), '..', 'shared', 'vectors', 'quotes');
const GENUINE = 'automata-network+automata-dcap-attestation/c81a90ee-AutomataDcapOnChainAttestationTest.t';

/** Open Enclave's header (oe_report_header_t): version 1, type 2, length. */
function withOpenEnclaveHeader(quote: Buffer): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(1, 0);
  header.writeUInt32LE(2, 4);
  header.writeBigUInt64LE(BigInt(quote.length), 8);
  return Buffer.concat([header, quote]);
}

describe('quote-verifier: evidence in, signed verdict out', () => {
  let deployment: Deployment;
  let verifier: Verifier;
  const reportData = Buffer.alloc(64, 7);
  const mrenclave = Buffer.alloc(32, 0xab);

  beforeAll(async () => {
    if (!hasNatsServer) throw new Error('nats-server is not installed: apt-get install nats-server');
    deployment = await Deployment.start();
    const { sgx } = deployment;
    const platform = sgx.platform({ name: 'one' });
    deployment.writeBundle('sgx.json', sgx.collateral({ platform }));
    deployment.writeBundle('tdx.json', sgx.collateral({ platform, tee: 'tdx' }));
    deployment.writeBundle(
      'processor.json',
      sgx.collateral({ platform: sgx.platform({ name: 'two', ca: 'processor' }) }),
    );
    writeFileSync(join(deployment.bundles, 'notes.json'), '{"no": "bundle"}');
    verifier = await deployment.verifier();
  });
  afterAll(() => deployment.stop());

  it('gives the claims of a verified SGX quote and names its collateral and root', async () => {
    const quote = deployment.sgx
      .platform({ name: 'one' })
      .quote({ mrenclave, isvProdId: 3, isvSvn: 4, reportData });
    const { claims } = await deployment.verify(quote, { tenant: 'shop' });
    expect(claims).toMatchObject({
      tenant: 'shop',
      verified: true,
      evidence: { format: 'dcap' },
      claims: {
        tee: 'sgx',
        quoteVersion: 3,
        tcbStatus: 'UpToDate',
        mrenclave: mrenclave.toString('hex'),
        isvProdId: 3,
        isvSvn: 4,
        reportData: reportData.toString('hex'),
        fmspc: '00606a000000',
        debug: false,
        simulated: true,
      },
      collateral: { tcbEvaluationDataNumber: 20 },
    });
    expect(claims.trustRoot).toMatch(/^simulated-[0-9a-f]{16}$/);
    expect(claims.exp - claims.iat).toBe(60);
    expect(Math.abs(claims.iat - Date.now() / 1_000)).toBeLessThan(5);
    expect(claims.error).toBeUndefined();
  });

  it.each([
    ['SGX version 4', { version: 4 as const }, 'sgx'],
    ['SGX version 5', { version: 5 as const }, 'sgx'],
    ['TDX version 4', { version: 4 as const, tee: 'tdx' as const }, 'tdx'],
    ['TDX version 5', { version: 5 as const, tee: 'tdx' as const }, 'tdx'],
  ])('verifies %s', async (_name, request, tee) => {
    const { claims } = await deployment.verify(
      deployment.sgx.platform({ name: 'one' }).quote({ ...request, reportData }),
    );
    expect(claims).toMatchObject({
      verified: true,
      claims: { tee, quoteVersion: request.version, tcbStatus: 'UpToDate' },
    });
    if (tee === 'tdx') expect(claims.claims?.rtmrs).toHaveLength(4);
  });

  it('verifies a platform under the processor CA with the collateral of that CA', async () => {
    const { claims } = await deployment.verify(
      deployment.sgx.platform({ name: 'two', ca: 'processor' }).quote({ reportData }),
    );
    expect(claims.verified).toBe(true);
  });

  it('takes Open Enclave evidence as the format says', async () => {
    const quote = deployment.sgx.platform({ name: 'one' }).quote({ reportData });
    const evidence = withOpenEnclaveHeader(quote);
    for (const format of ['auto', 'open-enclave']) {
      const { claims } = await deployment.verify(evidence, { format });
      expect(claims).toMatchObject({ verified: true, evidence: { format: 'open-enclave' } });
    }
    const asQuote = await deployment.verify(evidence, { format: 'dcap' });
    expect(asQuote.claims).toMatchObject({ verified: false, error: { code: 'QUOTE_VERSION_UNSUPPORTED' } });
    const bare = await deployment.verify(quote, { format: 'open-enclave' });
    expect(bare.claims).toMatchObject({ verified: false, error: { code: 'OE_HEADER_INVALID' } });
  });

  it('signs refusals and claims nothing of what it refuses', async () => {
    const quote = deployment.sgx.platform({ name: 'one' }).quote({ mrenclave, reportData });
    const body = Buffer.from(quote);
    body.writeUInt8(body.readUInt8(130) ^ 1, 130);
    const stranger = SimulatedSgx.create({ seed: 'another world' })
      .platform({ name: 'x' })
      .quote({ reportData });
    const cases: [Buffer, string, string][] = [
      [body, 'QUOTE_SIGNATURE_INVALID', 'quote-signature'],
      [stranger, 'ROOT_NOT_TRUSTED', 'pck-chain'],
      [Buffer.alloc(2_000, 0x41), 'QUOTE_VERSION_UNSUPPORTED', 'quote-format'],
      [quote.subarray(0, 700), 'QUOTE_TOO_SHORT', 'quote-format'],
      [quote.subarray(0, quote.length - 1), 'QUOTE_MALFORMED', 'quote-format'],
    ];
    for (const [evidence, code, step] of cases) {
      const { claims } = await deployment.verify(evidence);
      expect(claims).toMatchObject({ verified: false, error: { code, step } });
      expect(claims.claims).toBeUndefined();
    }
  });

  it('says what a revoked platform is, because all of it was authenticated', async () => {
    const platform = deployment.sgx.platform({ name: 'revoked', tcbStatus: 'Revoked' });
    const { claims } = await deployment.verify(platform.quote({ mrenclave, reportData }));
    expect(claims).toMatchObject({
      verified: false,
      error: { code: 'TCB_REVOKED', step: 'tcb-status' },
      claims: { tcbStatus: 'Revoked', mrenclave: mrenclave.toString('hex') },
    });
  });

  it('answers malformed requests with a code and no verdict', async () => {
    const good = { v: 1, requestId: 'r'.repeat(22), tenant: 'default', evidence: 'AAAA' };
    const cases: [string | object, string][] = [
      ['', 'REQUEST_MALFORMED'],
      ['not json', 'REQUEST_MALFORMED'],
      [Buffer.from([0x22, 0xff, 0x22]).toString('latin1'), 'REQUEST_MALFORMED'],
      ['null', 'REQUEST_MALFORMED'],
      [{ ...good, extra: 1 }, 'REQUEST_MALFORMED'],
      [{ ...good, v: 2 }, 'REQUEST_MALFORMED'],
      [{ ...good, requestId: 'short' }, 'REQUEST_MALFORMED'],
      [{ ...good, tenant: 'No Tenant' }, 'REQUEST_MALFORMED'],
      [{ ...good, evidence: 'AA==' }, 'REQUEST_MALFORMED'],
      [{ ...good, evidence: 'AAAAA' }, 'REQUEST_MALFORMED'],
      [{ ...good, evidence: '' }, 'EVIDENCE_EMPTY'],
      [{ ...good, evidence: 'A'.repeat(44_000) }, 'EVIDENCE_TOO_LARGE'],
      [{ ...good, evidence: 'A'.repeat(900_000) }, 'REQUEST_TOO_LARGE'],
    ];
    for (const [body, code] of cases) {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      await expect(deployment.requests.request(SUBJECTS.verify, text, 5_000)).rejects.toMatchObject({ code });
    }
    expect((await fetch(`${verifier.url}/health/live`)).status).toBe(200);
  });

  const genuine = join(VECTORS, GENUINE);
  const present = existsSync(genuine);
  if (!present) process.stdout.write('shared/vectors is absent: no genuine evidence in this run\n');
  (present ? it : it.skip)(
    'refuses genuine evidence whose collateral has expired, with grace 0',
    async () => {
      for (const name of readdirSync(genuine).filter((file) => /^collateral-.*-v3-/.test(file)))
        writeFileSync(join(deployment.bundles, `genuine-${name}`), readFileSync(join(genuine, name)));
      const { claims } = await deployment.verify(readFileSync(join(genuine, 'quote.bin')));
      expect(claims.verified).toBe(false);
      expect(claims.error?.code).toMatch(/_EXPIRED$/);
      expect(claims.claims).toBeUndefined();
      // The simulated platform of the same FMSPC keeps its own collateral.
      const simulated = await deployment.verify(
        deployment.sgx.platform({ name: 'one' }).quote({ reportData }),
      );
      expect(simulated.claims).toMatchObject({ verified: true, claims: { fmspc: '00606a000000' } });
    },
  );

  it('shows its key, its collateral, its health and its metrics over HTTP', async () => {
    const get = async (path: string): Promise<unknown> => (await fetch(verifier.url + path)).json();
    const { keys } = (await get('/.well-known/jwks.json')) as { keys: Record<string, string>[] };
    expect(keys).toHaveLength(1);
    expect(keys[0]).toMatchObject({ kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig' });
    expect(keys[0]).not.toHaveProperty('d');
    const { collateral } = (await get('/v1/collateral')) as { collateral: Record<string, unknown>[] };
    expect(collateral).toContainEqual(
      expect.objectContaining({
        tee: 'sgx',
        fmspc: '00606a000000',
        ca: 'platform',
        source: 'bundle',
        simulated: true,
      }),
    );
    const [first] = collateral;
    const bundle = (await get(`/v1/collateral/${String(first?.['id'])}`)) as CollateralBundle;
    const anchor = trustAnchorFromPem(deployment.sgx.rootPem, { id: 'mine', simulated: true });
    expect(CollateralEpoch.open(bundle, { at: new Date(), trustAnchors: [anchor] }).id).toBe(first?.['id']);
    expect((await fetch(`${verifier.url}/v1/collateral/${'0'.repeat(64)}`)).status).toBe(404);
    const { paths } = (await get('/openapi.json')) as { paths: object };
    expect(Object.keys(paths).sort()).toEqual([
      '/.well-known/jwks.json',
      '/v1/collateral',
      '/v1/collateral/{id}',
    ]);
    expect(await get('/health/ready')).toMatchObject({ ok: true, checks: { nats: { ok: true } } });
    const metrics = await (await fetch(`${verifier.url}/metrics`)).text();
    expect(metrics).toMatch(/siegel_verdicts_total\{code="VERIFIED"\} [1-9]/);
    expect(metrics).toMatch(/siegel_verdicts_total\{code="QUOTE_SIGNATURE_INVALID"\} 1/);
    const missing = await fetch(`${verifier.url}/v1/verify`, { method: 'POST', body: '{}' });
    expect(missing.status).toBe(404);
    expect(await missing.json()).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('gives the same verdicts on worker threads', async () => {
    await verifier.stop();
    verifier = await deployment.verifier({ SIEGEL_VERIFIER_WORKERS: '2' }, 'threads');
    const platform = deployment.sgx.platform({ name: 'one' });
    const forged = platform.quote({ reportData });
    forged.writeUInt8(forged.readUInt8(400) ^ 1, 400);
    const quotes = Array.from({ length: 40 }, (_, i) => platform.quote({ reportData: Buffer.alloc(64, i) }));
    const verdicts = await Promise.all([...quotes, forged].map((quote) => deployment.verify(quote)));
    verdicts.slice(0, 40).forEach(({ claims }, i) =>
      expect(claims).toMatchObject({
        verified: true,
        claims: { reportData: Buffer.alloc(64, i).toString('hex') },
      }),
    );
    expect(verdicts[40]?.claims).toMatchObject({
      verified: false,
      error: { code: 'QUOTE_SIGNATURE_INVALID' },
    });
  });

  it('answers what is in work when it is told to stop, and exits 0', async () => {
    const platform = deployment.sgx.platform({ name: 'one' });
    const asked = Array.from({ length: 200 }, () => deployment.verify(platform.quote({ reportData })));
    await asked[0];
    const stopped = verifier.stop();
    const settled = await Promise.allSettled(asked);
    expect(await stopped).toBe(0);
    const unanswered = settled.filter(
      (one) => one.status === 'rejected' && (one.reason as { kind?: string }).kind !== 'no-responders',
    );
    expect(unanswered).toEqual([]);
    expect(settled.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(0);
  });
});

describe('quote-verifier: configuration', () => {
  let deployment: Deployment;
  beforeAll(async () => {
    deployment = await Deployment.start();
  });
  afterAll(() => deployment.stop());

  it.each([
    ['a simulated root without simulation', { SIEGEL_SIMULATION: 'false' }, 'SIEGEL_SIMULATED_ROOT_FILE'],
    ['simulation without a root', { SIEGEL_SIMULATED_ROOT_FILE: '' }, 'SIEGEL_SIMULATED_ROOT_FILE'],
    ['a root that is none', { SIEGEL_SIMULATED_ROOT_FILE: 'package.json' }, 'SIEGEL_SIMULATED_ROOT_FILE'],
    ['an unknown source', { SIEGEL_COLLATERAL_SOURCES: 'bundle,web' }, 'SIEGEL_COLLATERAL_SOURCES'],
    ['a source without its address', { SIEGEL_COLLATERAL_SOURCES: 'pccs' }, 'SIEGEL_PCCS_URL'],
    ['plain HTTP to another host', { SIEGEL_PCS_URL: 'http://pcs.example' }, 'SIEGEL_PCS_URL'],
    ['a missing key', { SIEGEL_VERDICT_KEY_FILE: '/nonexistent' }, 'SIEGEL_VERDICT_KEY_FILE'],
    [
      'a prefetch that is none',
      { SIEGEL_COLLATERAL_PREFETCH: 'sgx:zz:platform' },
      'SIEGEL_COLLATERAL_PREFETCH',
    ],
  ])('refuses %s, naming the variable', async (_name, environment, variable) => {
    const exit = await deployment.verifier(environment).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(exit).toBeInstanceOf(VerifierExit);
    expect((exit as VerifierExit).code).toBe(78);
    expect((exit as VerifierExit).log).toContain(`configuration: ${variable}`);
  });

  it('refuses a verdict key that relying parties do not know', async () => {
    const file = join(deployment.folder, 'other.pem');
    const { kid } = await LocalSigner.createFile(file, 'ES256');
    const exit = await deployment
      .verifier({ SIEGEL_VERDICT_KEY_FILE: file })
      .catch((error: unknown) => error);
    expect((exit as VerifierExit).code).toBe(78);
    expect((exit as VerifierExit).log).toContain(kid);
  });
});
