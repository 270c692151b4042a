import type { Command } from 'commander';

/** Options that say which deployment a command talks to; each has a variable of the environment behind it. */
export interface DeploymentOptions {
  readonly state?: string;
  readonly url?: string;
  readonly caFile?: string;
  readonly adminTokenFile?: string;
  readonly verifierUrl?: string;
  readonly auditUrl?: string;
  readonly auditTokenFile?: string;
  readonly auditCertFile?: string;
  readonly auditKeyFile?: string;
  readonly timeout?: string;
}

/** Which of the services a command talks to, and hence which options it has. */
export type Service = 'release' | 'verifier' | 'audit';

export function addDeploymentOptions(command: Command, ...services: readonly Service[]): Command {
  command.optionsGroup('Deployment:');
  command.option(
    '--state <folder>',
    'state folder with siegel.json (SIEGEL_STATE; default: .siegel of the checkout)',
  );
  if (services.includes('release')) {
    command
      .option('--url <url>', 'address of key-release (SIEGEL_URL)')
      .option('--ca-file <pem>', 'CA of the HTTPS certificates (SIEGEL_CA_FILE)')
      .option('--admin-token-file <file>', "file with the administrator's token (SIEGEL_ADMIN_TOKEN_FILE)");
  }
  if (services.includes('verifier')) {
    command.option('--verifier-url <url>', 'address of quote-verifier (SIEGEL_VERIFIER_URL)');
  }
  if (services.includes('audit')) {
    command
      .option('--audit-url <url>', 'address of the audit service (SIEGEL_AUDIT_URL)')
      .option('--audit-token-file <file>', "file with the auditor's token (SIEGEL_AUDIT_TOKEN_FILE)")
      .option('--audit-cert-file <pem>', 'client certificate instead of a token (SIEGEL_AUDIT_CERT_FILE)')
      .option('--audit-key-file <pem>', 'its private key (SIEGEL_AUDIT_KEY_FILE)');
    if (!services.includes('release'))
      command.option('--ca-file <pem>', 'CA of the HTTPS certificates (SIEGEL_CA_FILE)');
  }
  return command.option('--timeout <seconds>', 'longest wait for one answer (default: 15)');
}
