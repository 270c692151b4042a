import type { Command } from 'commander';
import { addDeploymentOptions, type DeploymentOptions } from '../deployment/options.js';
import type { Session } from '../session.js';
import { registerAuditing } from './auditing-commands.js';
import type { EvidenceOptions } from './kept-evidence.js';

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
  readonly mrsigner?: string;
  readonly instance?: string;
  readonly simulated?: string;
  readonly protocol?: string;
  readonly fmspc?: string;
  readonly boundKey?: string;
  readonly evidence?: string;
  readonly platform?: string;
  readonly field?: readonly string[];
  readonly json?: true;
}
export interface QueryOptions extends FilterOptions {
  readonly since?: string;
  readonly until?: string;
  readonly oldest?: true;
  readonly limit?: string;
  readonly all?: true;
  readonly countBy?: string;
  readonly bucket?: string;
  readonly export?: string;
}
export interface StoryOptions extends DeploymentOptions {
  readonly session?: string;
  readonly boundKey?: string;
  readonly mrenclave?: string;
  readonly platform?: string;
  readonly tenant?: string;
  readonly json?: true;
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
      .option('--all', 'every event that matches')
      .option(
        '--count-by <field>',
        'count instead: outcome, type, reason, workload, mrenclave, tcbStatus, tenant or emitter',
      )
      .option('--bucket <step>', 'steps of time of the counts: minute, hour, day or none (default: none)')
      .option('--export <format>', 'every event that matches as a stream, oldest first: ndjson, csv or ocsf'),
  ).option('--json', 'print one event per line (NDJSON)');
  addDeploymentOptions(query, 'audit')
    .addHelpText(
      'after',
      `
Examples:
  $ siegel audit query --outcome denied --since 1h
  $ siegel audit query --workload payments --type attestation.granted --limit 10 --json
  $ siegel audit query --field data.grants.objectName:db-password --since 1d
  $ siegel audit query --outcome denied --since 7d --count-by reason --bucket day
  $ siegel audit query --tenant shop --export ocsf > events.ndjson`,
    )
    .action(
      session.command(async (options: QueryOptions) => {
        const { queryEvents } = await import('./query-events.js');
        return queryEvents(options, session.terminal, session.untilStopped());
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
  const story = audit
    .command('story')
    .summary('everything about one enclave')
    .description(
      'Prints the story of one enclave, from its first attestation to its last release: what it received, and every event ' +
        'about its sessions, its keys and its evidence. Name it by one of session, bound key, and measurement with machine.',
    )
    .option('--session <id>', 'by one of its sessions')
    .option('--bound-key <thumbprint>', 'by the key that its evidence binds')
    .option('--mrenclave <hex>', 'by its measurement, together with --platform')
    .option('--platform <sha256>', 'machine, by the digest of its PPID (as events name it)')
    .option('--tenant <name>', 'of this tenant')
    .option('--json', 'print one JSON object');
  addDeploymentOptions(story, 'audit').action(
    session.command(async (options: StoryOptions) => {
      const { tellStory } = await import('./enclave-story.js');
      return tellStory(options, session.terminal);
    }),
  );
  const evidence = audit
    .command('evidence')
    .argument('<sha256>', 'digest of the evidence, as events name it')
    .summary('fetch the evidence behind events')
    .description(
      'Fetches kept evidence and says which events name it. With --verify it is judged again, with the collateral of then ' +
        'and at the time of its first event: exit code 1 if it does not verify.',
    )
    .option('--out <file>', 'where to write the evidence')
    .option('--collateral-out <file>', 'where to write the collateral that it was judged with')
    .option('--verify', 'judge it again, offline')
    .option('--at <time>', 'time to judge it at (default: that of its first event)')
    .option('--trust-root <pem>', "root to trust instead of Intel's")
    .option('--json', 'print one JSON object');
  addDeploymentOptions(evidence, 'audit').action(
    session.command(async (digest: string, options: EvidenceOptions) => {
      const { fetchEvidence } = await import('./kept-evidence.js');
      return fetchEvidence(digest, options, session.terminal);
    }),
  );
  registerAuditing(audit, session);
}

const several = (value: string, before: string[] = []): string[] => [...before, value];

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
    .option('--session <id>', 'of this session')
    .option('--mrsigner <hex>', 'about this signer')
    .option('--instance <name>', 'emitted by this replica')
    .option('--simulated <flag>', 'true or false')
    .option('--protocol <name>', 'of enclaves that came by this protocol')
    .option('--fmspc <hex>', 'about this kind of platform')
    .option('--bound-key <thumbprint>', 'about the enclave with this key')
    .option('--evidence <sha256>', 'that rest on this evidence')
    .option('--platform <sha256>', 'about this machine, by the digest of its PPID')
    .option('--field <path:value>', 'with this value in any other field; several times', several);
}
