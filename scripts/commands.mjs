// What each npm script does, under the pinned Node.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from './build.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const bin = (name) => join(root, 'node_modules', name);
const jest = ['--experimental-vm-modules', '--no-warnings', bin('jest/bin/jest.js')];

function node(args, { cwd = root, env = process.env } = {}) {
  return new Promise((done) => {
    const child = spawn(process.execPath, args, { cwd, env, stdio: 'inherit' });
    const forward = (signal) => child.kill(signal);
    for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, forward);
    process.on('SIGINT', () => {
      if (!process.stdin.isTTY) child.kill('SIGINT');
    });
    child.on('exit', (code, signal) => done(signal ? 128 + constants.signals[signal] : code));
  });
}

async function siegel(args) {
  await build();
  const { run } = await import(pathToFileURL(join(root, 'dist/apps/cli/src/main.js')).href);
  return run(args);
}

const commands = {
  build: async (args) => {
    const count = await build({ clean: args.includes('--clean') });
    process.stderr.write(`compiled ${count} file${count === 1 ? '' : 's'} to dist/\n`);
    return 0;
  },
  siegel,
  start: (args) => siegel(['up', '--demo', ...args]),
  typecheck: (args) => node([bin('typescript/bin/tsc'), '--noEmit', '-p', 'tsconfig.json', ...args]),
  lint: (args) => node([bin('eslint/bin/eslint.js'), '--max-warnings', '0', ...(args.length ? args : ['.'])]),
  format: (args) => node([bin('prettier/bin/prettier.cjs'), ...(args.length ? args : ['--write', '.'])]),
  jest: async (args) => {
    await build();
    return node([...jest, ...args]);
  },
  test: async (args) => {
    const { test } = await import('./test.mjs');
    return test(args);
  },
  bench: async (args) => {
    const name = args[0] ?? '';
    await build();
    const program = join(root, 'dist/bench', name, 'main.js');
    if (!/^[a-z][a-z-]*$/.test(name) || !existsSync(program)) {
      process.stderr.write('usage: npm run bench -- NAME [--json]   (a folder of bench/)\n');
      return 2;
    }
    const { run } = await import(pathToFileURL(program).href);
    return run(args.slice(1));
  },
  fuzz: async (args) => {
    await build();
    const { run } = await import(pathToFileURL(join(root, 'dist/bench/fuzz/main.js')).href);
    return run(args);
  },
};

const [name = '', ...args] = process.argv.slice(2);
const command = commands[name];
if (!command) {
  process.stderr.write(`unknown command "${name}"; one of: ${Object.keys(commands).join(', ')}\n`);
  process.exit(2);
}
process.exitCode = (await command(args)) ?? 0;
