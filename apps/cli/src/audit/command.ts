import type { Command } from 'commander';
import { addDeploymentOptions, type DeploymentOptions } from '../deployment/options.js';
import type { Session } from '../session.js';
import { registerAuditing } from './auditing-commands.js';

/** Filters of events, as the audit service names them in its query. */
export interface FilterOptions extends DeploymentOptions {
  readonly tenant?: string;
  readonly type?: string;
  readonly outcome?: string;
  readonly workload?: string;
  readonly mrenclave?: string;
  readonly reason?: string;
  readonly text?: string;
  readonly emitter?: string;
  readonly tcbStatus?: string;
  readonly session?: string;
  readonly json?: true;
}
export interface QueryOptions extends FilterOptions {
  readonly since?: string;
  readonly until?: string;
  readonly oldest?: true;
  readonly limit?: string;
  readonly all?: true;
}
export interface TailOptions extends FilterOptions {
  readonly after?: string;
}

export function registerAudit(program: Command, session: Session): void {
  const audit = program
    .command('audit')
    .helpGroup('Operating a deployment:')
    .summary('query, follow and verify the audit log')
    .description('Every attestation, release, change and alert is an event in the audit log.');

  const query = withFilters(
    audit
      .command('query')
      .summary('search the events')
      .description('Searches the events, newest first.')
      .option('--since <time>', 'logged at or after this time: ISO 8601, or as long ago as 30s, 15m, 2h, 7d')
      .option('--until <time>', 'logged before this time')
      .option('--oldest', 'oldest first')
      .option('--limit <number>', 'at most so many events (default: 50)')
      .option('--all', 'every event that matches'),
  ).option('--json', 'print one event per line (NDJSON)');
  addDeploymentOptions(query, 'audit')
    .addHelpText(
      'after',
      `
Examples:
  $ siegel audit query --outcome denied --since 1h
  $ siegel audit query --workload payments --type attestation.granted --limit 10 --json`,
    )
    .action(
      session.command(async (options: QueryOptions) => {
        const { queryEvents } = await import('./query-events.js');
        return queryEvents(options, session.terminal);
      }),
    );

  const tail = withFilters(
    audit
      .command('tail')
      .summary('print events as they are logged')
      .description(
        'Prints events as they are logged, until Ctrl-C. A broken connection is resumed without a gap.',
      )
      .option(
        '--after <position>',
        'begin behind this position instead of now; 0 is the beginning of the log',
      ),
  ).option('--json', 'print one event per line (NDJSON)');
  addDeploymentOptions(tail, 'audit').action(
    session.command(async (options: TailOptions) => {
      const { tailEvents } = await import('./tail-events.js');
      return tailEvents(options, session.terminal, session.untilStopped());
    }),
  );
  registerAuditing(audit, session);
}

function withFilters(command: Command): Command {
  return command
    .option('--tenant <name>', 'of this tenant')
    .option('--type <type>', 'of this type, e.g. attestation.denied')
    .option('--outcome <outcome>', 'granted, denied, ok or alert')
    .option('--workload <name>', 'about this workload')
    .option('--mrenclave <hex>', 'about this measurement')
    .option('--reason <code>', 'with this reason, e.g. RELEASE_DENIED')
    .option('--text <words>', 'whose reason or failed conditions have all these words')
    .option('--emitter <name>', 'emitted by this service')
    .option('--tcb-status <status>', 'with this TCB status')
    .option('--session <id>', 'of this session');
}
