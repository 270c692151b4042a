import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type AuditDeployment, until } from '../../test/audit-deployment.js';

const HOURS_MS = 4 * 3_600_000;
const REBUILD = fileURLToPath(new URL('../../apps/audit/src/rebuild/main.js', import.meta.url));

/** Waits until index, checkpoint and JetStream have everything. */
export async function settled(deployment: AuditDeployment): Promise<void> {
  await until(
    async () => {
      const metrics = await (await fetch(`${deployment.url}/metrics`)).text();
      const done = [/audit_leading 1\n/, /index_lag_entries 0\n/, /distribution_lag_entries 0\n/];
      return done.every((line) => line.test(metrics));
    },
    HOURS_MS,
    'the followers did not catch up',
  );
  await new Promise((resolve) => setTimeout(resolve, 1_500));
}

/** Makes the index of a stopped deployment anew, by the program of `siegel audit rebuild`; the rate in events per second. */
export async function rebuildIndex(deployment: AuditDeployment): Promise<number> {
  const started = performance.now();
  const child = spawn(process.execPath, ['--no-warnings', REBUILD], {
    env: deployment.serviceEnvironment(deployment.state),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
  await new Promise((resolve) => child.once('close', resolve));
  const { indexed } = JSON.parse(text) as { indexed?: number };
  if (indexed === undefined) throw new Error(`the index was not rebuilt: ${text}`);
  return indexed / ((performance.now() - started) / 1_000);
}
