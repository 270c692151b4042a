// `npm test`: static checks, unit tests, whole-system tests; ends with "N passed, N failed".
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const bin = (path) => join(root, 'node_modules', path);

function run(args) {
  return new Promise((done) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('exit', (code) => done(code ?? 1));
  });
}

let parts = 0;

/**
 * Whole-system suites that have the machine for themselves: they time outages and take-overs, or exhaust a thread's memory on purpose.
 * All others share it, two at a time.
 */
const ALONE = [
  'audit-replicas',
  'audit-replicas-blob',
  'fuzz-campaign',
  'outage',
  'outage-forged',
  'resilience',
  'start',
  'start-nats',
];
const alone = `test/(${ALONE.join('|')})\\.spec\\.ts$`;

const checks = [
  ['type check', [bin('typescript/bin/tsc'), '--noEmit', '-p', 'tsconfig.json']],
  ['lint', [bin('eslint/bin/eslint.js'), '--max-warnings', '0', '.']],
  ['format', [bin('prettier/bin/prettier.cjs'), '--check', '--log-level', 'warn', '.']],
];

async function jest(project, extra, args, outputs) {
  const file = join(outputs, `${project}-${parts++}.json`);
  const code = await run([
    '--experimental-vm-modules',
    '--no-warnings',
    bin('jest/bin/jest.js'),
    '--selectProjects',
    project,
    '--passWithNoTests',
    '--json',
    `--outputFile=${file}`,
    ...extra,
    ...args,
  ]);
  let result;
  try {
    result = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const broken = result.numRuntimeErrorTestSuites;
  const failed = result.numFailedTests + broken;
  // A run that fails without a failed test (an open handle, a crashed worker) is a failure all the same.
  return {
    passed: result.numPassedTests,
    failed: code !== 0 && failed === 0 ? 1 : failed,
    skipped: result.numPendingTests + result.numTodoTests,
  };
}

export async function test(args) {
  const started = Date.now();
  const total = { passed: 0, failed: 0, skipped: 0 };
  const add = (part) => {
    for (const key of Object.keys(total)) total[key] += part[key];
  };
  const say = (text) => process.stdout.write(`\n== ${text}\n`);
  const outputs = mkdtempSync(join(tmpdir(), 'siegel-test-'));
  try {
    say('build');
    await build({ clean: args.length === 0 });
    if (args.length === 0) {
      for (const [name, command] of checks) {
        say(name);
        add(
          (await run(command)) === 0
            ? { passed: 1, failed: 0, skipped: 0 }
            : { passed: 0, failed: 1, skipped: 0 },
        );
      }
    }
    say('unit tests');
    add(await jest('unit', ['--maxWorkers=2'], args, outputs));
    say('whole-system tests');
    if (args.length > 0) add(await jest('system', ['--runInBand'], args, outputs));
    else {
      add(await jest('system', ['--maxWorkers=2', '--testPathIgnorePatterns', alone], [], outputs));
      add(await jest('system', ['--runInBand', '--testPathPatterns', alone], [], outputs));
    }
  } finally {
    rmSync(outputs, { recursive: true, force: true });
  }
  const skipped = total.skipped === 0 ? '' : `, ${total.skipped} skipped`;
  process.stdout.write(
    `\n${Math.round((Date.now() - started) / 1000)} s\n${total.passed} passed, ${total.failed} failed${skipped}\n`,
  );
  return total.failed === 0 ? 0 : 1;
}
