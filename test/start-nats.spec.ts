import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ANY_PORT, compiled, ROOT, temporaryFolder } from './harness/index.js';

jest.setTimeout(180_000);

const PLACES = [
  ...(process.env['PATH'] ?? '').split(delimiter),
  '/usr/sbin',
  '/usr/local/sbin',
  '/usr/local/bin',
].map((folder) => join(folder, 'nats-server'));
const installed = [...new Set(PLACES)].filter((path) => existsSync(path));

/** A mount namespace of our own, in which an installed nats-server can be covered without touching the machine. */
const canHide = spawnSync('unshare', ['-r', '-m', 'true'], { stdio: 'ignore' }).status === 0;
const hasDpkg = existsSync('/usr/bin/dpkg-deb') && existsSync('/usr/bin/apt-get');
const hidden = canHide ? describe : describe.skip;
if (!canHide)
  process.stderr.write('unshare is not permitted here: the search for nats-server is not tested\n');

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `siegel up` on a machine that has no nats-server. */
function upWithout(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Run> {
  const cover = installed.map((path) => `mount --bind /dev/null '${path}'`).join(' && ');
  const program = pathToFileURL(compiled('apps/cli/src/main.js')).href;
  const script = `import { run } from ${JSON.stringify(program)}; process.exitCode = await run(process.argv.slice(1));`;
  // PATH is changed only for what runs inside, as mount is needed before.
  const inner = `${cover || 'true'} && PATH="$INNER_PATH" exec '${process.execPath}' --input-type=module --eval "$SCRIPT" -- "$@"`;
  return new Promise((resolve) => {
    const child = spawn('unshare', ['-r', '-m', 'sh', '-c', inner, 'sh', 'up', ...args], {
      cwd: ROOT,
      env: {
        PATH: process.env['PATH'],
        INNER_PATH: env['PATH'],
        SCRIPT: script,
        SIEGEL_TOOLS: env['SIEGEL_TOOLS'],
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

hidden('on a machine without nats-server', () => {
  const folder = temporaryFolder();
  const state = join(folder, 'state');
  const nothing = join(folder, 'nothing');
  mkdirSync(nothing);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('where none can be had, one sentence says what to do', async () => {
    const args = ['--once', '--json', '--state', state, ...ANY_PORT];
    const { code, stdout } = await upWithout(args, { PATH: nothing, SIEGEL_TOOLS: join(folder, 'none') });
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toEqual({
      ok: false,
      error: {
        code: 'NATS_MISSING',
        message: expect.stringMatching(/^nats-server was not found .*apt-get install/),
      },
    });
    expect(existsSync(join(state, 'up.lock'))).toBe(false);
    const words = await upWithout(['--state', state, ...ANY_PORT], {
      PATH: nothing,
      SIEGEL_TOOLS: join(folder, 'none'),
    });
    expect(words.code).toBe(1);
    expect(words.stderr).toMatch(/^siegel: nats-server was not found/m);
    expect(words.stderr).not.toMatch(/^\s*at /m);
  });

  (hasDpkg && installed.length > 0 ? it : it.skip)(
    'where Debian has it, its package is fetched without root, once, and everything runs',
    async () => {
      const calls = join(folder, 'apt-calls');
      const bin = join(folder, 'bin');
      packageOf(installed[0]!, join(folder, 'nats-server_2_test.deb'));
      mkdirSync(bin);
      // Stands for the archive: like apt on a fresh machine it knows no package before "update".
      writeFileSync(
        join(bin, 'apt-get'),
        `#!/bin/sh
echo "$*" >> '${calls}'
case "$*" in
  *update*) touch '${folder}/updated' ;;
  *download*) [ -e '${folder}/updated' ] && cp '${folder}/nats-server_2_test.deb' . ;;
  *) exit 100 ;;
esac
`,
      );
      chmodSync(join(bin, 'apt-get'), 0o755);
      const env = { PATH: `${bin}${delimiter}/usr/bin${delimiter}/bin`, SIEGEL_TOOLS: join(folder, 'tools') };
      const args = ['--once', '--json', '--state', state, ...ANY_PORT];

      const first = await upWithout(args, env);
      expect(first.stderr).toContain('getting the Debian package');
      expect({ code: first.code, ...(JSON.parse(first.stdout) as object) }).toMatchObject({
        code: 0,
        ok: true,
      });
      const asked = readFileSync(calls, 'utf8').trim().split('\n');
      expect(asked.map((line) => line.split(' ').at(-1))).toEqual(['nats-server', 'update', 'nats-server']);
      for (const line of asked) expect(line).toContain(`Dir::State::Lists=${env.SIEGEL_TOOLS}`);

      const second = await upWithout(args, env);
      expect(second.code).toBe(0);
      expect(second.stderr).not.toContain('getting');
      expect(readFileSync(calls, 'utf8').trim().split('\n')).toHaveLength(3);
    },
  );
});

/** A Debian package with one program in it. */
function packageOf(program: string, archive: string): void {
  const tree = `${archive}.d`;
  mkdirSync(join(tree, 'DEBIAN'), { recursive: true });
  mkdirSync(join(tree, 'usr', 'sbin'), { recursive: true });
  copyFileSync(program, join(tree, 'usr', 'sbin', 'nats-server'));
  chmodSync(join(tree, 'usr', 'sbin', 'nats-server'), 0o755);
  writeFileSync(
    join(tree, 'DEBIAN', 'control'),
    'Package: nats-server\nVersion: 2\nArchitecture: all\nMaintainer: Test <test@example.org>\nDescription: test\n',
  );
  const built = spawnSync('dpkg-deb', ['--root-owner-group', '-Znone', '--build', tree, archive], {
    stdio: 'ignore',
  });
  expect(built.status).toBe(0);
}
