import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { VaultsConfig } from '#vault';

export const VAULT = 'fleet';

/**
 * The fake vault in a process of its own, so that it does not share an event loop with the fleet. Its limits are the real ones in the
 * reading that favours the comparison: refused requests do not count.
 */
export class FakeProcess {
  private constructor(
    readonly config: VaultsConfig,
    readonly dir: string,
    private readonly control: string,
    private readonly child: ChildProcess,
  ) {}

  static async start(secrets: readonly string[]): Promise<FakeProcess> {
    const dir = mkdtempSync(join(tmpdir(), 'bench-fleet-'));
    const program = fileURLToPath(new URL('../../test/fake-azure/main.js', import.meta.url));
    const values = secrets.flatMap((name) => ['--secret', `${name}=value-of-${name}`]);
    const child = fork(
      program,
      ['--vault', VAULT, '--limits', 'lenient', '--json', '--dir', dir, ...values],
      {
        stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      },
    );
    const lines = createInterface({ input: child.stdout! });
    const [line] = (await Promise.race([
      once(lines, 'line'),
      once(child, 'exit').then(() => Promise.reject(new Error('the fake vault did not start'))),
    ])) as [string];
    const { vaults, control } = JSON.parse(line) as { vaults: unknown; control: string };
    return new FakeProcess(VaultsConfig.parse(vaults), dir, control, child);
  }

  /** Requests for secrets that the vault has seen since the last call, and how many of them it throttled. */
  async takeReads(): Promise<{ reads: number; throttled: number }> {
    const answer = await fetch(`${this.control}/requests`);
    const { requests } = (await answer.json()) as { requests: { action: string; status: number }[] };
    await fetch(`${this.control}/requests`, { method: 'DELETE' });
    const reads = requests.filter(({ action, status }) => action === 'secrets/get' && status !== 401);
    return { reads: reads.length, throttled: reads.filter(({ status }) => status === 429).length };
  }

  async close(): Promise<void> {
    const ended = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await ended;
    rmSync(this.dir, { recursive: true, force: true });
  }
}
