import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { z } from 'zod';
import { findDeployment } from '../deployment/siegel-json.js';
import { CliError } from '../failure/cli-error.js';
import type { Terminal } from '../terminal/terminal.js';
import { Layout } from '../up/layout.js';
import { entryOf, serviceSpec } from '../up/services.js';

const Answer = z.union([
  z.object({ restored: z.number(), indexed: z.number() }),
  z.object({ failed: z.string() }),
]);
const PORTS = { nats: 0, release: 0, verifier: 0, audit: 0 };

export interface RebuildFlags {
  readonly state?: string;
  readonly json?: true;
  /** Variables of the audit service beside those of `up`. */
  readonly env?: Record<string, string>;
}

/** `siegel audit rebuild`: in a process of the audit service's own program, with the configuration that `up` gives it. */
export async function rebuildIndex(flags: RebuildFlags, terminal: Terminal): Promise<number> {
  const found = await findDeployment(flags.state, terminal);
  if (!found) throw CliError.of('STATE_NOT_FOUND', 'Name the state folder of "siegel up" with --state.');
  const layout = new Layout(found.folder);
  const { env } = serviceSpec('audit', {
    layout,
    ports: PORTS,
    tenant: found.content.tenant ?? '',
    trustDomain: '',
    logOrigin: '',
    publicUrl: '',
    logLevel: 'warn',
    environment: flags.env ?? {},
  });
  const program = join(entryOf('audit'), '..', 'rebuild', 'main.js');
  const output = await runProgram(program, env);
  const answer = Answer.safeParse(output);
  if (!answer.success || 'failed' in answer.data) {
    const why = answer.data && 'failed' in answer.data ? answer.data.failed : 'it gave no answer';
    throw CliError.of('REBUILD_FAILED', `The index was not rebuilt: ${why}.`);
  }
  const { restored, indexed } = answer.data;
  if (flags.json) terminal.out(`${JSON.stringify({ restored, indexed })}\n`);
  else {
    if (restored > 0) terminal.out(`Restored the store from the tiles: ${restored} entries.\n`);
    terminal.out(`Indexed ${indexed} entries.\n`);
  }
  return 0;
}

function runProgram(program: string, env: NodeJS.ProcessEnv): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--no-warnings', program], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    child.on('error', reject);
    child.on('close', () => {
      try {
        resolve(JSON.parse(text));
      } catch {
        resolve(undefined);
      }
    });
  });
}
