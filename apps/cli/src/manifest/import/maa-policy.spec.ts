import { describe, expect, it } from '@jest/globals';
import { run } from '../../main.js';
import { recordingTerminal } from '../../terminal/recording-terminal.js';

const E = 'ab'.repeat(32);
const S = 'cd'.repeat(32);

async function imported(authorization: string, issuance = '', ...more: string[]) {
  const stdin = `version= 1.0;\nauthorizationrules {\n${authorization}\n};\nissuancerules {\n${issuance}\n};`;
  const terminal = recordingTerminal({ stdin });
  const code = await run(['manifest', 'import', 'maa-policy', '-', '--json', ...more], terminal);
  const { manifest, report } = JSON.parse(terminal.written.out) as {
    manifest: { workloads: Record<string, unknown> };
    report: { path: string; result: string; note: string }[];
  };
  const open = report
    .filter(({ result }) => result !== 'mapped')
    .map(({ path, result }) => `${result} ${path}`);
  return { code, workloads: manifest.workloads, open, paths: report.map(({ path }) => path) };
}

describe('siegel manifest import maa-policy', () => {
  it('rules that permit, with what was denied before them', async () => {
    const { code, workloads, open } = await imported(
      `[type=="x-ms-sgx-is-debuggable", value==true] => deny();
[type=="x-ms-sgx-mrsigner", value=="${S}"] && [type=="x-ms-sgx-product-id", value==1] && [type=="x-ms-sgx-svn", value>=3, issuer=="AttestationService"] => permit();
[type=="x-ms-sgx-mrenclave", value=="${E}"] => permit();`,
      'c:[type=="x-ms-sgx-svn"] => issue(type="svn", value=c.value);',
    );
    expect({ code, open }).toEqual({ code: 0, open: [] });
    expect(workloads).toEqual({
      imported: { identity: [{ mrsigner: [S], isvprodid: 1, isvsvn: 3 }, { mrenclave: [E] }] },
    });
  });

  it('our own TCB status', async () => {
    const { code, workloads } = await imported(
      `[type=="x-ms-sgx-mrenclave", value=="${E}"] && [type=="x-siegel-tcb-status", value=="UpToDate"] => permit();`,
    );
    expect(code).toBe(0);
    expect(workloads['imported']).toMatchObject({ tcb: { accept: ['UpToDate'] } });
  });

  it.each([
    ["Microsoft's default permits any enclave", '=> permit();', ['unsupported line 3']],
    [
      'a denial that cannot be said closes all that follows',
      `![type=="x"] => deny();\n[type=="x-ms-sgx-mrenclave", value=="${E}"] => permit();`,
      ['unsupported line 3', 'unsupported line 4'],
    ],
    [
      'a claim that is made up',
      `[type=="a"] => add(type="b", value=1);\n[type=="x-ms-sgx-mrenclave", value=="${E}"] => permit();`,
      ['unsupported line 3', 'unsupported line 4'],
    ],
    [
      'what comes after a denial of everything',
      `=> deny();\n[type=="x-ms-sgx-mrenclave", value=="${E}"] => permit();`,
      ['unsupported line 4'],
    ],
    [
      'a claim by its issuer alone',
      '[type=="x", issuer=="CustomClaim"] => permit();',
      ['unsupported line 3'],
    ],
  ])('fails closed: %s', async (_what, rules, open) => {
    const answer = await imported(rules);
    expect({ code: answer.code, workloads: answer.workloads }).toEqual({ code: 1, workloads: {} });
    expect(answer.open).toEqual(expect.arrayContaining(open));
  });

  it('a lowest version that the manifest states more weakly', async () => {
    const rule = `[type=="x-ms-sgx-mrenclave", value=="${E}"] && [type=="x-ms-sgx-svn", value==3] => permit();`;
    expect((await imported(rule)).open).toEqual(['weakened line 3 condition[1]']);
    expect((await imported(rule, '', '--accept', 'line 3 condition[1]')).code).toBe(0);
  });

  it('names line and column of what is no policy', async () => {
    const terminal = recordingTerminal({ stdin: 'version= 1.0;\nauthorizationrules { => allow(); };' });
    expect(await run(['manifest', 'import', 'maa-policy', '-', '--json'], terminal)).toBe(1);
    expect(JSON.parse(terminal.written.out)).toMatchObject({
      error: { code: 'FORMAT_MALFORMED', message: expect.stringContaining('line 2, column 25') },
    });
  });
});
