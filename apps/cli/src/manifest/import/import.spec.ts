import { describe, expect, it } from '@jest/globals';
import { hash } from 'node:crypto';
import { sigstruct } from '../../inspect/sigstruct-fixture.js';
import { recordingTerminal } from '../../terminal/recording-terminal.js';
import { run } from '../../main.js';

const E = 'ab'.repeat(32);
const S = 'cd'.repeat(32);
/** The sample key of Intel's SDK. */
const PUBLIC = '83d719e77deaca1470f6baf62a4d774303c899db69020f9c70ee1dfc08c7ce9e';

interface Answer {
  readonly code: number;
  readonly manifest: { workloads: Record<string, unknown> };
  readonly report: { path: string; result: string; note: string }[];
}

async function imported(kind: string, file: string | Buffer, ...more: string[]): Promise<Answer> {
  const terminal = recordingTerminal({ stdin: file });
  const code = await run(['manifest', 'import', kind, '-', '--json', ...more], terminal);
  return { code, ...(JSON.parse(terminal.written.out) as Omit<Answer, 'code'>) };
}
const workloadOf = ({ manifest }: Answer) => manifest.workloads['imported'];
const open = ({ report }: Answer) =>
  report.filter(({ result }) => result !== 'mapped').map(({ path, result }) => `${result} ${path}`);

const VIEW = {
  mr_signer: S,
  mr_enclave: E.toUpperCase(),
  isv_prod_id: 7,
  isv_svn: 3,
  debug_enclave: false,
  attribute_flags: '0x4',
};

describe('siegel manifest import', () => {
  it('gramine-sigstruct-view: exactly this build', async () => {
    const answer = await imported('gramine-sigstruct-view', JSON.stringify(VIEW));
    expect(answer.code).toBe(0);
    expect(workloadOf(answer)).toEqual({
      identity: { mrenclave: [E], mrsigner: [S], isvprodid: 7, isvsvn: 3 },
    });
    expect(answer.report.map(({ path }) => path)).toEqual([
      'mr_enclave',
      'mr_signer',
      'isv_prod_id',
      'isv_svn',
      'debug_enclave',
      'attribute_flags',
    ]);
  });

  it('by signer, which is weaker and must be accepted by name', async () => {
    const answer = await imported('gramine-sigstruct-view', JSON.stringify(VIEW), '--by', 'signer');
    expect(answer.code).toBe(1);
    expect(open(answer)).toEqual(['weakened mr_enclave']);
    expect(workloadOf(answer)).toEqual({ identity: { mrsigner: [S], isvprodid: 7, isvsvn: 3 } });
    const taken = ['--by', 'signer', '--accept', 'mr_enclave', '--workload', 'app'];
    const again = await imported('gramine-sigstruct-view', JSON.stringify(VIEW), ...taken);
    expect(again.code).toBe(0);
    expect(Object.keys(again.manifest.workloads)).toEqual(['app']);
  });

  it('refuses a rule by a signer whose key is public, and leaves that signer out beside a measurement', async () => {
    const view = JSON.stringify({ ...VIEW, mr_signer: PUBLIC });
    const bySigner = await imported(
      'gramine-sigstruct-view',
      view,
      '--by',
      'signer',
      '--accept',
      'mr_enclave',
    );
    expect(bySigner.code).toBe(1);
    expect(open(bySigner)).toContain('unsupported mr_signer');
    expect(bySigner.report.some(({ note }) => note.startsWith('SIGNER_PUBLIC'))).toBe(true);
    const exact = await imported('gramine-sigstruct-view', view);
    expect(exact.code).toBe(0);
    expect(workloadOf(exact)).toEqual({ identity: { mrenclave: [E], isvprodid: 7, isvsvn: 3 } });
  });

  it('does not accept debug enclaves by itself, nor what it does not know', async () => {
    const answer = await imported(
      'gramine-sigstruct-view',
      JSON.stringify({ ...VIEW, debug_enclave: true, future: 1 }),
    );
    expect(answer.code).toBe(1);
    expect(open(answer)).toEqual(['unsupported debug_enclave', 'unsupported future']);
    expect(workloadOf(answer)).not.toHaveProperty('debug');
  });

  it('gsc-info-image', async () => {
    const toml = `mr_enclave = "${E}"\nmr_signer = "${S}"\nisv_prod_id = 7\nisv_svn = 3\ndate = "2026-04-01"\nflags = "0400000000000000"\nxfrms = '0700'\nmisc_select = "00000000"\ndebug = false # production\n`;
    const answer = await imported('gsc-info-image', toml);
    expect(answer.code).toBe(0);
    expect(workloadOf(answer)).toEqual({
      identity: { mrenclave: [E], mrsigner: [S], isvprodid: 7, isvsvn: 3 },
    });
    expect(answer.report).toHaveLength(9);
  });

  it('sigstruct: with the KSS fields that are used', async () => {
    const { file, modulus } = sigstruct((made) => made.fill(0x11, 1008, 1024));
    const answer = await imported('sigstruct', file);
    expect(answer.code).toBe(0);
    expect(workloadOf(answer)).toEqual({
      identity: {
        mrenclave: [E],
        mrsigner: [hash('sha256', modulus, 'hex')],
        isvprodid: 17,
        isvsvn: 4,
        isvextprodid: ['11'.repeat(16)],
      },
    });
    const debug = await imported('sigstruct', sigstruct((made) => made.writeUInt8(0x07, 928)).file);
    expect(open(debug)).toEqual(['unsupported ATTRIBUTES.FLAGS.DEBUG']);
  });

  it('gramine-env: the verifier’s rules', async () => {
    const env = `# verifier\nexport RA_TLS_MRENCLAVE=${E}\nRA_TLS_MRSIGNER=any\nRA_TLS_ISV_PROD_ID="0"\nRA_TLS_ISV_SVN='2'\nRA_TLS_ALLOW_SW_HARDENING_NEEDED=1\nRA_TLS_ALLOW_HW_CONFIG_NEEDED=1\nRA_TLS_ALLOW_DEBUG_ENCLAVE_INSECURE=0\nPATH=/bin\n`;
    const answer = await imported('gramine-env', env);
    expect(answer.code).toBe(0);
    expect(workloadOf(answer)).toEqual({
      identity: { mrenclave: [E], isvprodid: 0, isvsvn: 2 },
      tcb: {
        accept: ['UpToDate', 'SWHardeningNeeded', 'ConfigurationNeeded', 'ConfigurationAndSWHardeningNeeded'],
      },
    });
  });

  it('gramine-env: what weakens or is missing stops it', async () => {
    const env = `loader.env.RA_TLS_MRENCLAVE = "any"\nRA_TLS_MRSIGNER=${S}\nRA_TLS_ISV_PROD_ID=any\nRA_TLS_ALLOW_OUTDATED_TCB_INSECURE=1\nRA_TLS_ALLOW_DEBUG_ENCLAVE_INSECURE=1\nRA_TLS_EPID_API_KEY=x\nSECRET_PROVISION_SET_KEY=default\nSECRET_PROVISION_SERVERS=localhost:4433\n`;
    const answer = await imported('gramine-env', env);
    expect(answer.code).toBe(1);
    expect(workloadOf(answer)).toMatchObject({
      debug: true,
      tcb: { accept: ['UpToDate', 'OutOfDate'] },
    });
    expect(open(answer)).toEqual([
      'unsupported RA_TLS_ISV_SVN',
      'unsupported RA_TLS_ALLOW_OUTDATED_TCB_INSECURE:expired-collateral',
      'unsupported RA_TLS_EPID_API_KEY',
      'unsupported SECRET_PROVISION_SET_KEY',
      'unsupported workloads.imported.identity.mrsigner',
      'unsupported workloads.imported.identity.mrsigner',
    ]);
  });

  it.each([
    ['gramine-sigstruct-view', '[]'],
    ['gramine-sigstruct-view', '{'],
    ['gramine-sigstruct-view', JSON.stringify({ ...VIEW, mr_enclave: 'ab' })],
    ['gramine-sigstruct-view', JSON.stringify({ ...VIEW, isv_svn: 65_536 })],
    ['gramine-sigstruct-view', JSON.stringify({ ...VIEW, debug_enclave: 'false' })],
    ['gsc-info-image', `mr_enclave = "${E}"\nmr_enclave = "${S}"\n`],
    ['gsc-info-image', '[table]\n'],
    ['sigstruct', Buffer.alloc(1_808)],
    ['sigstruct', sigstruct().file.fill(1, 960, 961)],
    ['gramine-env', 'PATH=/bin\n'],
    ['gramine-env', `RA_TLS_MRENCLAVE=${E}\nRA_TLS_MRENCLAVE=${S}\n`],
    ['gramine-env', 'RA_TLS_MRENCLAVE=xyz\n'],
    ['gramine-env', 'RA_TLS_MRENCLAVE $(cat file)\n'],
  ])('%s: refuses a file that is not of the kind (%#)', async (kind, file) => {
    const terminal = recordingTerminal({ stdin: file });
    expect(await run(['manifest', 'import', kind, '-', '--json'], terminal)).toBe(1);
    expect(JSON.parse(terminal.written.out)).toMatchObject({ error: { code: 'FORMAT_MALFORMED' } });
  });

  it.each([
    ['default allow = false', 0, []],
    ['default allow = true', 1, ['unsupported allow', 'unsupported allow.measurement']],
    ['default allow = data.something', 1, ['unsupported policy']],
  ])('trustee-policy: %s', async (rule, code, left) => {
    const answer = await imported('trustee-policy', `# a comment\npackage policy\n${rule}\n`);
    expect(answer.code).toBe(code);
    expect(answer.manifest).toEqual({ siegel: 'v1', workloads: {} });
    expect(open(answer)).toEqual(left);
  });

  it('names the kinds that it knows', async () => {
    const terminal = recordingTerminal({ stdin: '' });
    expect(await run(['manifest', 'import', 'constructor', '-'], terminal)).toBe(2);
    expect(terminal.written.err).toContain('gsc-info-image');
  });
});
