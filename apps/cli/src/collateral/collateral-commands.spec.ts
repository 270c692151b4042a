import { SimulatedPcsServer, SimulatedSgx, type PcsServerOptions } from '#simulator';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../main.js';
import { recordingTerminal } from '../terminal/recording-terminal.js';

const FMSPC = '00606a000000';

describe('siegel collateral, without a deployment', () => {
  const sgx = SimulatedSgx.create({ seed: 'collateral commands' });
  const platform = sgx.platform({ name: 'p' });
  let folder = '';
  const servers: SimulatedPcsServer[] = [];

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'siegel-collateral-'));
    writeFileSync(join(folder, 'root.pem'), sgx.rootPem);
    writeFileSync(join(folder, 'quote.bin'), platform.quote({}));
    writeFileSync(join(folder, 'lookup.bin'), platform.quote({ certificationType: 3 }));
    writeFileSync(join(folder, 'good.json'), JSON.stringify(sgx.collateral({ platform })));
    writeFileSync(
      join(folder, 'expired.json'),
      JSON.stringify(sgx.collateral({ platform, at: new Date('2024-01-01T00:00:00Z') })),
    );
    writeFileSync(join(folder, 'broken.json'), '{"tcb_info": 1}');
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.stop();
    rmSync(join(folder, 'out.json'), { force: true });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function serve(options: PcsServerOptions = {}): Promise<SimulatedPcsServer> {
    const server = new SimulatedPcsServer(sgx, options);
    await server.start();
    servers.push(server);
    return server;
  }
  async function siegel(args: string[], env: Record<string, string> = {}) {
    const terminal = recordingTerminal({ cwd: folder, env });
    const code = await run(['collateral', ...args], terminal);
    const { out, err } = terminal.written;
    const json = (args.includes('--json') ? JSON.parse(out) : {}) as Record<string, never>;
    return { code, out, err, json };
  }
  const fetching = (source: string, ...more: string[]): string[] => [
    ...['fetch', '--source', source, '--trust-root', 'root.pem', '-o', 'out.json', '--json'],
    ...more,
  ];
  const byName = ['--fmspc', FMSPC.toUpperCase(), '--ca', 'platform'];
  const left = (): string[] => readdirSync(folder).filter((name) => name.includes('out.json'));

  it.each([
    ['pcs', 'sgx'],
    ['pcs', 'tdx'],
    ['pccs', 'tdx'],
    ['thim', 'sgx'],
  ] as const)('fetches from %s for %s what verify and show take', async (shape, tee) => {
    const server = await serve({ shape });
    const env = {
      SIEGEL_PCS_URL: server.url,
      SIEGEL_PCCS_URL: server.url,
      ...(shape === 'pcs' ? { SIEGEL_PCS_ROOT_CRL_URL: `${server.url}/IntelSGXRootCA.der` } : {}),
      SIEGEL_THIM_URLS: `${server.url}/metadata/THIM`,
    };
    const { code, json } = await siegel(fetching(shape, '--tee', tee, ...byName), env);
    expect({ code, json }).toMatchObject({
      code: 0,
      json: { source: shape, tee, fmspc: FMSPC, ca: 'platform', tcbEvaluationDataNumber: 19 },
    });
    const shown = await siegel(['show', 'out.json', '--trust-root', 'root.pem', '--json']);
    expect(shown.json['id']).toBe(json['id']);
    expect(left()).toEqual(['out.json']);
  });

  it('takes an address for a PCCS, and the platform from a quote, looked up where the quote only names it', async () => {
    const { url } = await serve({ shape: 'pccs' });
    for (const quote of ['quote.bin', 'lookup.bin']) {
      const { code, json } = await siegel(fetching(url, '--quote', quote));
      expect({ code, json }).toMatchObject({ code: 0, json: { tee: 'sgx', fmspc: FMSPC } });
    }
  });

  it('asks for an edition by channel or by number', async () => {
    const server = await serve({ shape: 'pccs' });
    const early = await siegel(fetching(server.url, ...byName, '--update', 'early'));
    expect(early.json['tcbEvaluationDataNumber']).toBeGreaterThan(19);
    const numbered = fetching('pcs', ...byName, '--tcb-evaluation-data-number', '18');
    const pcs = await serve({ shape: 'pcs' });
    const env = {
      SIEGEL_PCS_URL: pcs.url,
      SIEGEL_PCS_ROOT_CRL_URL: `${pcs.url}/IntelSGXRootCA.der`,
    };
    expect(await siegel(numbered, env)).toMatchObject({
      code: 0,
      json: { tcbEvaluationDataNumber: 18 },
    });
    rmSync(join(folder, 'out.json'));
    // This PCCS leaves the parameter unread.
    const ignored = fetching(server.url, ...byName, '--tcb-evaluation-data-number', '18');
    expect(await siegel(ignored)).toMatchObject({ code: 1, json: { error: { code: 'SOURCE_FAILED' } } });
    expect(left()).toEqual([]);
  });

  it('writes a bundle to standard output', async () => {
    const { url } = await serve({ shape: 'pccs' });
    const { out } = await siegel([
      ...['fetch', '--source', url, '--trust-root', 'root.pem', '-o', '-'],
      ...byName,
    ]);
    expect(Object.keys(JSON.parse(out) as object)).toContain('tcb_info');
  });

  it('writes nothing that does not verify', async () => {
    const { url } = await serve({ shape: 'pccs' });
    const args = ['fetch', '--source', url, ...byName, '-o', 'out.json', '--json'];
    expect(await siegel(args)).toMatchObject({ code: 1, json: { error: { code: 'ROOT_NOT_TRUSTED' } } });
    const { url: other } = await serve({
      shape: 'pccs',
      collateral: { editTcbInfo: (document) => ({ ...document, fmspc: '00906ED50000' }) },
    });
    expect(await siegel(fetching(other, ...byName))).toMatchObject({
      code: 1,
      json: { error: { code: expect.stringMatching(/MISMATCH/) } },
    });
    expect(left()).toEqual([]);
  });

  it.each([
    ['an unknown platform', ['--fmspc', '00000000ffff', '--ca', 'platform'], 1, 'SOURCE_FAILED'],
    ['no platform', [], 2, 'USAGE'],
    ['a platform twice', [...byName, '--quote', 'quote.bin'], 2, 'USAGE'],
    ['an FMSPC that is none', ['--fmspc', '606a', '--ca', 'platform'], 2, 'USAGE'],
    ['a CA that is none', ['--fmspc', FMSPC, '--ca', 'root'], 2, 'USAGE'],
    ['two editions', [...byName, '--update', 'early', '--tcb-evaluation-data-number', '18'], 2, 'USAGE'],
    ['a channel that is none', [...byName, '--update', 'late'], 2, 'USAGE'],
    ['a quote that is none', ['--quote', 'root.pem'], 1, 'QUOTE_TOO_SHORT'],
    ['a file that is not there', ['--quote', 'nothing'], 2, 'FILE_NOT_FOUND'],
  ])('refuses %s', async (_name, more, exit, code) => {
    const { url } = await serve({ shape: 'pccs', fmspcs: [FMSPC] });
    expect(await siegel(fetching(url, ...more))).toMatchObject({ code: exit, json: { error: { code } } });
    expect(left()).toEqual([]);
  });

  it.each(['http://pccs.example', 'ftp://pccs.example', 'nowhere', 'https://a:b@pccs.example'])(
    'refuses the address %s',
    async (address) => {
      expect(await siegel(fetching(address, ...byName))).toMatchObject({
        code: 2,
        json: { error: { code: 'USAGE' } },
      });
    },
  );

  it('needs THIM to have no channels, and says so', async () => {
    const server = await serve({ shape: 'thim' });
    const { json } = await siegel(fetching('thim', ...byName, '--update', 'early'), {
      SIEGEL_THIM_URLS: `${server.url}/metadata/THIM`,
    });
    expect(json).toMatchObject({ error: { code: 'SOURCE_FAILED', message: /early/ } });
  });

  it('shows a bundle readably, and refuses one that has expired or is none', async () => {
    const { code, out } = await siegel(['show', 'good.json', '--trust-root', 'root.pem']);
    expect(code).toBe(0);
    expect(out).toContain(`sgx ${FMSPC}, platform CA`);
    const show = (name: string, ...more: string[]) =>
      siegel(['show', name, '--trust-root', 'root.pem', '--json', ...more]);
    expect(await show('expired.json')).toMatchObject({
      code: 1,
      json: { error: { code: expect.stringMatching(/EXPIRED/) } },
    });
    expect(await show('broken.json')).toMatchObject({
      code: 1,
      json: { error: { code: 'COLLATERAL_INVALID' } },
    });
    expect((await siegel(['show', 'good.json', '--json'])).json).toMatchObject({
      error: { code: 'ROOT_NOT_TRUSTED' },
    });
  });

  it('imports into a named folder without a verifier to ask, and nothing that does not verify', async () => {
    const bundles = mkdtempSync(join(folder, 'bundles-'));
    const load = (name: string) =>
      siegel([
        ...['import', name, '--bundle-dir', bundles, '--trust-root', 'root.pem', '--json'],
        ...['--verifier-url', 'http://127.0.0.1:9'],
      ]);
    const { code, json } = await load('good.json');
    expect({ code, json }).toMatchObject({ code: 0, json: { effect: 'unknown', fmspc: FMSPC } });
    expect(JSON.parse(readFileSync(json['file']!, 'utf8'))).toEqual(
      JSON.parse(readFileSync(join(folder, 'good.json'), 'utf8')),
    );
    for (const name of ['expired.json', 'broken.json']) expect((await load(name)).code).toBe(1);
    expect(readdirSync(bundles)).toHaveLength(1);
    expect(existsSync(join(bundles, 'expired.json'))).toBe(false);
  });

  it('does not guess where a verifier reads bundles', async () => {
    const { code, json } = await siegel(['import', 'good.json', '--trust-root', 'root.pem', '--json'], {
      SIEGEL_STATE: mkdtempSync(join(folder, 'state-')),
    });
    expect({ code, json }).toMatchObject({ code: 1, json: { error: { code: 'STATE_NOT_FOUND' } } });
  });
});
