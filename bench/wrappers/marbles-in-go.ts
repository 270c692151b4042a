import { spawn, spawnSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ROOT } from '../../test/harness/checkout.js';
import type { LoadOutcome, LoadPlan, MarbleLoad } from './marblerun-load.js';

/**
 * Marbles in a process of their own in Go, the language of MarbleRun's runtime: its client is part of what upstream's figures cost.
 * Undefined where no Go toolchain is installed.
 */
export function marblesInGo(plan: LoadPlan): MarbleLoad | undefined {
  const go = ['/usr/local/go/bin/go', '/usr/bin/go'].find((path) => existsSync(path));
  if (!go) return undefined;
  const child = spawn(builtOnce(go), [], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const send = (value: unknown): void => void child.stdin.write(`${JSON.stringify(value)}\n`);
  const marbles = plan.marbles.map(({ requests, ...marble }) => ({
    ...marble,
    requests: requests.map((request) => request.toString('base64')),
  }));
  send({ ...plan, marbles });
  return {
    pid: child.pid!,
    language: 'go',
    run: async (count) => {
      send({ run: count });
      const { value, done } = (await lines.next()) as { value?: string; done?: boolean };
      if (done || value === undefined) throw new Error('the load generator ended');
      return JSON.parse(value) as LoadOutcome;
    },
    close: () => void child.kill('SIGKILL'),
  };
}

/** Compiled with Go's standard library the first time, which takes a while; kept with the other tools of this checkout. */
function builtOnce(go: string): string {
  const source = join(ROOT, 'bench', 'wrappers', 'marble-load', 'main.go');
  const tools = join(ROOT, '.siegel', 'tools', 'go');
  const program = join(tools, `marble-load-${hash('sha256', readFileSync(source), 'hex').slice(0, 16)}`);
  if (existsSync(program)) return program;
  mkdirSync(tools, { recursive: true });
  const built = spawnSync(go, ['build', '-o', program, source], {
    cwd: tools,
    encoding: 'utf8',
    env: { ...process.env, GOPROXY: 'off', GO111MODULE: 'off', GOCACHE: join(tools, 'cache'), HOME: tools },
  });
  if (built.status !== 0) throw new Error(`go build: ${built.stderr}`);
  return program;
}
