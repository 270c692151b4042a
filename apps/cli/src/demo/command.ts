import type { Command } from 'commander';
import type { Session } from '../session.js';

/** `siegel demo` is `siegel up --demo --once` under a name that people look for. */
export function registerDemo(program: Command, session: Session): void {
  program
    .command('demo')
    .helpGroup('Running it:')
    .description('run the main job once with two simulated enclaves, in a deployment of its own')
    .option('--json', 'print one JSON object and nothing else on standard output')
    .action(
      session.command(async (flags: { json?: boolean }) => {
        const { mkdtempSync, rmSync } = await import('node:fs');
        const { tmpdir } = await import('node:os');
        const { join } = await import('node:path');
        const state = mkdtempSync(join(tmpdir(), 'siegel-demo-'));
        try {
          const ports = ['nats', 'release', 'verifier', 'audit'].flatMap((name) => [`--${name}-port`, '0']);
          const up = program.commands.find((command) => command.name() === 'up');
          await up?.parseAsync(
            ['--demo', '--once', '--state', state, ...ports, ...(flags.json ? ['--json'] : [])],
            { from: 'user' },
          );
          return session.exitCode ?? 0;
        } finally {
          rmSync(state, { recursive: true, force: true });
        }
      }),
    );
}
