import { describe, expect, it } from '@jest/globals';
import { run } from '../../main.js';
import { recordingTerminal } from '../../terminal/recording-terminal.js';

const E = 'ab'.repeat(32);
const SESSION = `name: hello-$NR
version: 0.3
services:
  - name: application
    mrenclaves: [${E}]
    command: app --verbose
    pwd: /
security: { attestation: { tolerate: [software-hardening-needed] } }
`;

async function imported(source: string, ...more: string[]) {
  const terminal = recordingTerminal({ stdin: source });
  const code = await run(['manifest', 'import', 'scone-session', '-', '--json', ...more], terminal);
  const out = terminal.written.out;
  const { manifest, report = [] } = (out === '' ? {} : JSON.parse(out)) as {
    manifest?: { workloads: Record<string, Record<string, unknown>> };
    report?: { path: string; result: string }[];
  };
  const open = report.filter(({ result }) => result !== 'mapped').map(({ path }) => path);
  return { code, workloads: manifest?.workloads, open };
}

describe('siegel manifest import scone-session', () => {
  it('fails closed until each part that is missing is accepted by name', async () => {
    const first = await imported(SESSION, '--value', 'NR=1');
    expect([first.code, first.open]).toEqual([1, ['services[0].pwd']]);
    const second = await imported(SESSION, '--value', 'NR=1', '--accept', 'services[0].pwd');
    expect(second.code).toBe(0);
    expect(second.workloads).toMatchObject({
      imported: {
        description: 'SCONE hello-1 application',
        identity: { mrenclave: [E] },
        tcb: { accept: ['UpToDate', 'SWHardeningNeeded'], advisories: { allow: [] } },
        argv: ['app', '--verbose'],
      },
    });
  });

  it('asks for the variables of a template, and never guesses them', async () => {
    const { code, open } = await imported(SESSION, '--accept', 'services[0].pwd');
    expect([code, open]).toEqual([1, ['$NR', 'name', 'services[0].pwd']]);
    expect((await imported('{{ all }}:\n  {{ of }} it')).open).toEqual(['{{ all }}', '{{ of }}']);
    expect((await imported(SESSION, '--value', 'NR')).code).toBe(2);
  });

  it('makes no workload of a service that does not attest', async () => {
    const none = SESSION.replace('tolerate: [software-hardening-needed]', 'mode: none');
    const { code, workloads } = await imported(none, '--value', 'NR=1', '--accept', 'services[0].pwd');
    expect([code, workloads]).toEqual([1, {}]);
  });

  it.each([
    ['no mapping', '- a'],
    ['another language', 'a: !secret b'],
    ['a key twice', 'name: a\nname: b'],
    ['an endless alias', 'a: &a [*a]'],
  ])('refuses a file with %s', async (_what, source) => {
    const { code, workloads } = await imported(source);
    expect(code).not.toBe(0);
    expect(workloads).toBeUndefined();
  });
});
