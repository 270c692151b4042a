import type { Command } from 'commander';
import { addDeploymentOptions, type DeploymentOptions } from '../deployment/options.js';
import type { Session } from '../session.js';

export interface VaultOptions extends DeploymentOptions {
  readonly tenant?: string;
  readonly vault?: string;
  readonly json?: true;
}
export interface PutOptions extends VaultOptions {
  readonly file?: string;
  readonly stripNewline?: true;
  readonly contentType?: string;
}

export function registerSecret(program: Command, session: Session): void {
  const secret = program
    .command('secret')
    .helpGroup('Operating a deployment:')
    .summary('put, list and delete the secrets of a vault')
    .description(
      'The secrets of an embedded vault. Values are never arguments: those are visible to every process of the machine.',
    );
  const common = (command: Command): Command =>
    addDeploymentOptions(
      command
        .option('--vault <name>', 'vault (SIEGEL_VAULT; default: that of siegel.json)')
        .option('--tenant <name>', 'tenant (SIEGEL_TENANT; default: that of siegel.json)')
        .option('--json', 'print one JSON object'),
      'release',
    );

  common(
    secret
      .command('put')
      .summary('store a secret, or a new version of it')
      .description(
        'Stores a secret, or a new version of it. The value comes from --file or standard input, byte for byte; at a terminal it is asked for without echo.',
      )
      .argument('<name>', '1 to 127 letters, digits and hyphens')
      .option('--file <file>', 'read the value from this file; "-" is standard input')
      .option('--strip-newline', 'leave out one line end at the end of the value')
      .option('--content-type <type>', 'what the value is, e.g. application/x-pem-file'),
  )
    .addHelpText(
      'after',
      `
Examples:
  $ printf %s "$PASSWORD" | siegel secret put db-password
  $ siegel secret put tls-edge --file edge.pem --content-type application/x-pem-file`,
    )
    .action(
      session.command(async (name: string, options: PutOptions) => {
        const { putSecret } = await import('./put-secret.js');
        return putSecret(name, options, session.terminal);
      }),
    );

  common(
    secret
      .command('list')
      .summary('list names and versions, never values')
      .description('Lists names and versions, never values.'),
  ).action(
    session.command(async (options: VaultOptions) => {
      const { listSecrets } = await import('./list-secrets.js');
      return listSecrets(options, session.terminal);
    }),
  );

  common(
    secret
      .command('delete')
      .summary('delete a secret')
      .description('Deletes a secret with all its versions.')
      .argument('<name>', 'its name'),
  ).action(
    session.command(async (name: string, options: VaultOptions) => {
      const { deleteSecret } = await import('./delete-secret.js');
      return deleteSecret(name, options, session.terminal);
    }),
  );
}
