import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { siegel as command, type Finished } from './cli-command.js';
import { AzureWorld } from './azure-deployment.js';
import { ROOT, SiegelCommand } from './harness/index.js';
import { childrenOf, eventually, signal } from './harness/index.js';

jest.setTimeout(180_000);

const PAGE = readFileSync(join(ROOT, 'docs', 'azure.md'), 'utf8');
const PASSWORD = 'a password of the vault';
/** Blocks of the page: files by their name, and the commands in their order. */
const BLOCKS = [...PAGE.matchAll(/^```(\w+) ?([\w.-]*)\n([\s\S]*?)^```$/gm)].map(([, kind, name, text]) => ({
  kind,
  name: name!,
  text: text!,
}));
const COMMANDS = BLOCKS.filter(({ kind }) => kind === 'sh').flatMap(({ text }) =>
  text.split('\n').filter((line) => line.startsWith('npx siegel ')),
);
const words = (line: string): string[] => line.replace('npx siegel ', '').replace(/ &$/, '').split(' ');

let azure: AzureWorld;
let folder: string;
let up: SiegelCommand | undefined;
let fakeProgram: SiegelCommand | undefined;
const answers = new Map<string, Finished>();
const answerOf = (start: string): Finished => {
  const found = [...answers].find(([line]) => line.startsWith(`npx siegel ${start}`));
  if (!found) throw new Error(`the page has no command "siegel ${start}"`);
  return found[1];
};

beforeAll(async () => {
  azure = await AzureWorld.start({ vaults: ['shop'] });
  await azure.sdk.secrets.setSecret('db-password', PASSWORD);
  const policy = { issuerName: 'Self', subject: 'CN=edge' };
  const poller = await azure.sdk.certificates.beginCreateCertificate('edge', policy, { intervalInMs: 20 });
  await poller.pollUntilDone();
  folder = join(azure.dir, 'reader');
  mkdirSync(folder);
  for (const { name, text } of BLOCKS) if (name !== '') writeFileSync(join(folder, name), text);
  // The page's own file, with the fake in place of Azure and its sign-in.
  const vaults = JSON.parse(readFileSync(join(folder, 'vaults.json'), 'utf8')) as Record<string, object>;
  expect(Object.keys(vaults)).toEqual(['shop']);
  const shop = { ...vaults['shop'], ...azure.files.vaultSettings('shop') };
  writeFileSync(join(folder, 'vaults.json'), JSON.stringify({ shop }));

  const env = {
    SIEGEL_STATE: join(folder, 'siegel-azure'),
    ...Object.fromEntries(
      ['NATS', 'RELEASE', 'VERIFIER', 'AUDIT', 'WITNESS'].map((name) => [`SIEGEL_${name}_PORT`, '0']),
    ),
  };
  for (const line of COMMANDS) {
    const args = words(line);
    if (args[0] === 'fake-azure') {
      fakeProgram = new SiegelCommand(args.map((arg) => (arg === 'azure' ? join(folder, 'azure') : arg)));
      await eventually('the fake', () => fakeProgram!.stdout.includes('Ctrl-C ends it.'));
    } else if (args[0] === 'up') {
      const absolute = args.map((arg) => (arg === 'vaults.json' ? join(folder, arg) : arg));
      up = new SiegelCommand(absolute, env);
      await eventually('the deployment', () => {
        if (up!.exit) throw new Error(up!.stderr + up!.stdout);
        return up!.stdout.includes('Everything keeps running');
      });
    } else answers.set(line, await command(args, { cwd: folder, env }));
  }
});
afterAll(async () => {
  for (const program of [up, fakeProgram]) {
    if (!program || program.exit) continue;
    const children = childrenOf(program.pid);
    signal(program.pid, 'SIGTERM');
    await program.ended().catch(() => {
      for (const pid of [program.pid, ...children.map((child) => child.pid)]) signal(pid, 'SIGKILL');
    });
  }
  await azure?.stop();
  if (azure) rmSync(azure.dir, { recursive: true, force: true });
});

describe('docs/azure.md', () => {
  it('every command of ours works as written', () => {
    expect(COMMANDS.length).toBeGreaterThan(8);
    for (const [line, { code, out, err }] of answers)
      expect({ line, code, out: code === 0 ? '' : out, err: code === 0 ? '' : err }).toEqual({
        line,
        code: 0,
        out: '',
        err: '',
      });
  });

  it('the first start shows the token of the audit API once', () => {
    const token = readFileSync(join(folder, 'siegel-azure', 'audit.token'), 'utf8').trim();
    expect(up!.stdout.split(token)).toHaveLength(2);
  });

  it('the vault answers, the manifest is in force, the enclave has its secrets', () => {
    expect(answerOf('doctor').out).toMatch(/✓ vault shop +azure; answers to key-release/);
    expect(answerOf('manifest set').out).toContain('version 1');
    const released = answerOf('simulate');
    expect(released.out).toContain('env   DB_PASSWORD');
    expect(released.out).toContain('/run/secrets/edge.pem');
    expect(released.out).not.toContain(PASSWORD);
  });

  it('another measurement gets nothing', async () => {
    const env = { SIEGEL_STATE: join(folder, 'siegel-azure') };
    const denied = await command(['simulate', '--mrenclave', 'ee'.repeat(32), '--json'], {
      cwd: folder,
      env,
    });
    expect(denied.code).toBe(1);
    expect(denied.json()).toMatchObject({ error: { code: 'RELEASE_DENIED' } });
    const typo = await command(['simulate', '--mrenclave', 'ee', '--json'], { cwd: folder, env });
    expect(typo.code).toBe(2);
  });

  it('the event names the versions and requests of the vault', async () => {
    const [line] = answerOf('audit query').out.split('\n');
    const { event } = JSON.parse(line!) as {
      event: { data: { grants: { requestId: string; version: string }[] } };
    };
    const served = azure.fake.log.of('secrets/get').map(({ requestId }) => requestId);
    for (const { requestId } of event.data.grants) expect(served).toContain(requestId);
    const { version } = (await azure.sdk.secrets.getSecret('db-password')).properties;
    expect(event.data.grants[0]!.version).toBe(version);
  });

  it('the policy is clean, met, and becomes the same workload', () => {
    expect(answerOf('policy lint').out).toContain('no problems');
    expect(answerOf('policy eval').out).toContain('✓ met');
    expect(answerOf('policy import').out).toContain('payments');
  });

  it('the stand-in prints settings', () => {
    expect(fakeProgram!.stdout).toContain('"kind": "azure"');
  });
});
