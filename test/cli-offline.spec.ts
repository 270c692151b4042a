import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { SimulatedSgx } from '#simulator';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { siegel } from './cli-command.js';

// Every command is a process of its own, on a machine that may be busy.
jest.setTimeout(60_000);

const VECTORS = join(process.cwd(), '..', 'shared', 'vectors');

const GOOD = `siegel: v1
workloads:
  payments:
    identity: { mrenclave: [${'ab'.repeat(32)}] }
    tcb: { accept: [UpToDate] }
    secrets:
      - { vault: prod, objectName: db-password, objectType: secret, objectAlias: DB_PASSWORD, as: env }
`;

describe('siegel manifest lint', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'siegel-cli-lint-'));
    writeFileSync(join(folder, 'good.yaml'), GOOD);
    writeFileSync(join(folder, 'bad.yaml'), GOOD.replace('objectName', 'objectNmae'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('passes a good manifest, also from a pipe', async () => {
    const file = await siegel(['manifest', 'lint', 'good.yaml', '--json'], { cwd: folder });
    expect(file.code).toBe(0);
    expect(file.json()).toMatchObject({ ok: true });
    const piped = await siegel(['manifest', 'lint', '-'], { cwd: folder, stdin: GOOD });
    expect(piped).toMatchObject({ code: 0, out: expect.stringContaining('✓ stdin: no errors') });
  });

  it('names line, column and what was meant, as compilers do', async () => {
    const { code, out } = await siegel(['manifest', 'lint', 'bad.yaml'], { cwd: folder });
    expect(code).toBe(1);
    expect(out).toMatch(/^bad\.yaml:7:\d+: error [A-Z_]+: .*objectNmae/m);
    expect(out).toContain('objectName');
    const machine = await siegel(['manifest', 'lint', 'bad.yaml', '--json'], { cwd: folder });
    const { ok, problems } = machine.json<{ ok: boolean; problems: Record<string, unknown>[] }>();
    expect({ ok, code: machine.code }).toEqual({ ok: false, code: 1 });
    expect(problems[0]).toMatchObject({
      code: expect.any(String),
      path: expect.stringContaining('workloads.payments.secrets[0]'),
      line: 7,
      column: expect.any(Number),
      message: expect.any(String),
    });
  });

  it('exits 2 for a file that is not there', async () => {
    expect(await siegel(['manifest', 'lint', 'none.yaml'], { cwd: folder })).toMatchObject({
      code: 2,
      out: '',
    });
  });
});

describe('siegel inspect', () => {
  it('shows a simulated quote with offsets', async () => {
    const quote = SimulatedSgx.create({ seed: 'cli-inspect' })
      .platform()
      .quote({ mrenclave: 'cd'.repeat(32) });
    const person = await siegel(['inspect', '-'], { stdin: quote });
    expect(person.code).toBe(0);
    expect(person.out).toContain(`0x0070     32  MRENCLAVE         ${'cd'.repeat(32)}`);
    const machine = await siegel(['inspect', '-', '--json'], { stdin: quote });
    expect(machine.json()).toMatchObject({ kind: 'quote', encoding: 'binary', size: quote.length });
  });

  it('exits 1 for what it does not know', async () => {
    const finished = await siegel(['inspect', '-', '--json'], { stdin: 'hello' });
    expect(finished.code).toBe(1);
    expect(finished.json()).toMatchObject({ error: { code: 'FORMAT_UNKNOWN' } });
  });

  const real: [string, string, number][] = [
    ['interoperable-ra-tls/gramine-cert.pem', 'ra-tls-certificate', 2],
    ['interoperable-ra-tls/rats-tls-cert.pem', 'ra-tls-certificate', 1],
    ['interoperable-ra-tls/intel-sgxsdk-cert.pem', 'ra-tls-certificate', 2],
    ['gramine/ratls-gramine-v1.9-p384-dual-oid.der', 'ra-tls-certificate', 2],
    ['occlum/occlum-grpc-ratls-v1-sha1-rsa2048.pem', 'ra-tls-certificate', 1],
    ['intel-samples/sgx-v3-type1/pckCert.pem', 'certificates', 0],
    ['intel-samples/sgx-v3-type1/tcbInfo.json', 'tcb-info', 0],
    ['intel-samples/sgx-v3-type1/intermediateCaCrl.der', 'crl', 0],
    ['intel-samples/tdx-v4/quote.dat', 'quote', 0],
  ];
  (existsSync(VECTORS) ? it.each(real) : it.skip.each(real))(
    'recognises %s as %s with %d pieces of evidence',
    async (file, kind, evidence) => {
      const finished = await siegel(['inspect', join(VECTORS, file), '--json']);
      expect(finished.code).toBe(0);
      const { sections, ...rest } = finished.json<{ kind: string; sections: { title: string }[] }>();
      expect(rest).toMatchObject({ kind });
      expect(sections.filter(({ title }) => title.startsWith('Evidence in extension'))).toHaveLength(
        evidence,
      );
    },
  );
});
