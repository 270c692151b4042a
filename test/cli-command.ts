// Runs the real command line as people do, for the CLI's system tests.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Tests run in the checkout. */
const ROOT = process.cwd();
const TIMEOUT_MS = 60_000;

export interface Finished {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  /** Standard output as one JSON value; throws where it is none. */
  json<T = Record<string, unknown>>(): T;
}

/**
 * `siegel ARGS`. Through bin/siegel.cjs where the dependencies are installed as its installer marks them; in a tree that was
 * installed by hand, through the command behind it: a test must not install anything.
 */
export function siegel(
  args: readonly string[],
  options: { stdin?: string | Buffer; cwd?: string; env?: Record<string, string> } = {},
): Promise<Finished> {
  const program = installed() ? ['bin/siegel.cjs'] : ['scripts/commands.mjs', 'siegel'];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(ROOT, program[0] as string), ...program.slice(1), ...args], {
      cwd: options.cwd ?? ROOT,
      env: { ...environment(), SIEGEL_KEEP_CWD: '1', ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: TIMEOUT_MS,
    });
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString('utf8')));
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString('utf8')));
    child.stdin.on('error', () => undefined);
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out, err, json: <T>() => JSON.parse(out) as T }));
    child.stdin.end(options.stdin);
  });
}

/** Nothing of the tester's own deployment reaches the command. */
function environment(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('SIEGEL_')));
}

function installed(): boolean {
  const stamp = join(ROOT, 'node_modules', '.siegel-lockfile-sha256');
  if (!existsSync(stamp)) return false;
  const digest = createHash('sha256')
    .update(readFileSync(join(ROOT, 'package-lock.json')))
    .digest('hex');
  return readFileSync(stamp, 'utf8').trim() === digest;
}
