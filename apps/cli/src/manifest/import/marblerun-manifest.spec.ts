import { describe, expect, it } from '@jest/globals';
import { recordingTerminal } from '../../terminal/recording-terminal.js';
import { run } from '../../main.js';

const E = 'ab'.repeat(32);
const S = 'cd'.repeat(32);
const MANIFEST = {
  packages: {
    exact: { UniqueID: E.toUpperCase() },
    signed: {
      SignerID: S,
      ProductID: 7,
      SecurityVersion: 3,
      AcceptedTCBStatuses: ['UpToDate', 'OutOfDate', 'Revoked'],
      AcceptedAdvisories: ['intel-sa-00334'],
    },
  },
  Marbles: {
    web: {
      Package: 'exact',
      Parameters: {
        Argv: ['web', '$HOME'],
        Env: { MODE: 'prod', PASSWORD: '{{ string .Secrets.db }}', KEY: '{{ hex .Secrets.made }}' },
        Files: { '/tls.pem': '{{ raw .Secrets.db }}' },
      },
    },
    worker: { Package: 'signed', MaxActivations: 2, TLS: ['t'] },
  },
  Secrets: {
    db: { Type: 'plain', Source: { vault: 'prod', objectName: 'db-password' } },
    made: { Type: 'symmetric-key', Size: 128 },
  },
  TLS: { t: { Outgoing: [{ Addr: 'a', Port: '1' }] } },
};

async function cli(...args: string[]): Promise<{ code: number; out: Record<string, never> & Answer }> {
  const terminal = recordingTerminal({ stdin: args.pop()! });
  const code = await run(['manifest', ...args, '-', '--json'], terminal);
  return { code, out: JSON.parse(terminal.written.out || '{}') as Answer };
}
type Answer = Record<string, never> & {
  manifest: { workloads: Record<string, object> };
  report: { path: string; result: string }[];
  problems: { code: string; suggestion?: string }[];
  error?: { code: string };
};

describe("a manifest of MarbleRun's coordinator", () => {
  it('is imported: a workload for each marble, and told what has no equal', async () => {
    const { code, out } = await cli('import', 'marblerun', JSON.stringify(MANIFEST));
    expect(code).toBe(1);
    expect(out.manifest.workloads).toEqual({
      imported: {
        identity: { mrenclave: [E] },
        tcb: { accept: ['UpToDate', 'SWHardeningNeeded'] },
        certificate: {},
        env: { MODE: 'prod' },
        argv: ['web', '$$HOME'],
        secrets: [
          {
            vault: 'prod',
            objectName: 'db-password',
            objectType: 'secret',
            objectAlias: 'PASSWORD',
            as: 'env',
          },
          { vault: 'prod', objectName: 'db-password', objectType: 'secret', as: 'file', path: '/tls.pem' },
        ],
      },
      'imported-2': {
        identity: { mrsigner: [S], isvprodid: 7, isvsvn: 3 },
        tcb: { accept: ['UpToDate', 'OutOfDate'], advisories: { allow: ['INTEL-SA-00334'] } },
        certificate: {},
      },
    });
    const open = out.report
      .filter(({ result }) => result !== 'mapped')
      .map(({ path, result }) => `${result} ${path}`);
    expect(open).toEqual([
      'unsupported Packages.signed.AcceptedTCBStatuses',
      'unsupported Marbles.web.Parameters.Env.KEY',
      'unsupported Marbles.worker.MaxActivations',
      'unsupported Marbles.worker.TLS',
      'unsupported Secrets.made',
    ]);
    const accepted = open.flatMap((line) => ['--accept', line.slice('unsupported '.length)]);
    expect((await cli('import', 'marblerun', ...accepted, JSON.stringify(MANIFEST))).code).toBe(0);
  });

  it('that is none is refused', async () => {
    for (const text of ['nope', '{}', '{"Packages":{"a":{}},"Marbles":{"m":{"Package":"b"}}}'])
      expect((await cli('import', 'marblerun', text)).out.error).toMatchObject({ code: 'FORMAT_MALFORMED' });
  });

  it('is linted as itself', async () => {
    const good = await cli('lint', '--kind', 'marblerun', JSON.stringify(MANIFEST));
    expect(good.code).toBe(0);
    const typo = JSON.stringify({ ...MANIFEST, Secretss: {} });
    const bad = await cli('lint', '--kind', 'marblerun', typo);
    expect([bad.code, bad.out.problems[0]]).toEqual([
      1,
      expect.objectContaining({ code: 'UNKNOWN_KEY', suggestion: 'Secrets' }),
    ]);
    expect((await cli('lint', '--kind', 'nope', typo)).code).toBe(2);
  });
});
