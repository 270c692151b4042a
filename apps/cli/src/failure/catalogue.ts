/**
 * The codes that the command line itself adds to those of the services and libraries: what a person typed, what lies
 * in a file, what could not be reached. `exit` is the process's exit code.
 */
export interface CliErrorEntry {
  readonly meaning: string;
  readonly remedy: string;
  readonly exit: 1 | 2;
}

const usage = (meaning: string, remedy: string): CliErrorEntry => ({ meaning, remedy, exit: 2 });
const failed = (meaning: string, remedy: string): CliErrorEntry => ({ meaning, remedy, exit: 1 });

export const CLI_ERRORS = {
  USAGE: usage('The command was not understood.', 'See "siegel --help" and "siegel COMMAND --help".'),
  FILE_NOT_FOUND: usage(
    'A named file does not exist.',
    'Check the path; it is relative to the current folder.',
  ),
  FILE_UNREADABLE: usage(
    'A named file cannot be read.',
    'Check that it is a file and that its permissions let you read it.',
  ),
  FILE_TOO_LARGE: usage('A file is larger than this command accepts.', 'Check that it is the intended file.'),
  TIME_INVALID: usage(
    'A time is not ISO 8601 with a zone.',
    'Write it as 2025-09-08T05:50:18Z, or with an offset such as +02:00.',
  ),
  TRUST_ROOT_INVALID: usage(
    'The file of --trust-root is not one root certificate.',
    'Give one PEM certificate (or public key) with a P-256 key.',
  ),
  STATE_NOT_FOUND: failed(
    'There is no deployment to talk to.',
    'Start one with "siegel up", name its state folder with --state, or its address with --url.',
  ),
  STATE_INVALID: failed(
    'The file siegel.json of the deployment cannot be used.',
    'Start the deployment again with "siegel up": it writes the file anew.',
  ),
  KEYS_INVALID: usage(
    'The keys to believe cannot be used.',
    'Name the trust file of the deployment with --trust, and keys as their owners print them (name+id+key).',
  ),
  EVIDENCE_INVALID: usage(
    "A named checkpoint or promise is not the log's, so it proves nothing.",
    'Check the file, and that --trust, --tenant or --log-key name the log that it is from.',
  ),
  AUTHORITY_REFUSED: failed(
    'The named authority does not delegate to the key of this log.',
    'Check that the key is the one in the vault; if it is, do not believe this log, and ask who runs it.',
  ),
  CREDENTIAL_MISSING: failed(
    'The service shows this only with a credential.',
    'Name the file with the token, --audit-token-file, or a certificate, --audit-cert-file and --audit-key-file.',
  ),
  REBUILD_FAILED: failed(
    'The index of the audit log could not be rebuilt; nothing was changed in the log.',
    'Stop the deployment first. If the tiles are damaged, restore a backup of the state folder.',
  ),
  AUDITOR_EXISTS: failed(
    'There is an auditor of this name.',
    'Choose another name, or remove that one: siegel auditor remove NAME.',
  ),
  AUDITOR_UNKNOWN: failed('There is no auditor of this name.', 'List them: siegel auditor list.'),
  BROKER_UNUSABLE: failed(
    'nats-server does not run on this state folder, or does not take the credentials.',
    'Start the deployment with "siegel up"; auditors need the running broker.',
  ),
  CREDENTIAL_UNREADABLE: failed(
    'A token or CA file of the deployment cannot be read.',
    'Check the path and its permissions, or name another file with the option or variable of the message.',
  ),
  SERVICE_UNREACHABLE: failed(
    'The service did not accept a connection.',
    'Check that it runs ("siegel doctor" looks at all of them), or start it with "siegel up".',
  ),
  SERVICE_NAME_UNRESOLVED: failed('The host name of the service is unknown.', 'Check the address.'),
  SERVICE_TLS_UNTRUSTED: failed(
    "The service's TLS certificate is not signed by the expected CA.",
    'Name the CA of this deployment with --ca-file or SIEGEL_CA_FILE.',
  ),
  SERVICE_TIMEOUT: failed(
    'The service did not answer in time.',
    'Try again; "siegel doctor" says whether it is ready.',
  ),
  SERVICE_ANSWER_INVALID: failed(
    'The service answered with something that this command does not understand.',
    'Check that the address is that of a Siegel service, of a version that fits this command line.',
  ),
  SOURCE_FAILED: failed(
    'The source of collateral gave nothing that can be used.',
    'Check address and platform, or ask another --source; the message says what it answered.',
  ),
  OUTPUT_UNWRITABLE: usage('A file cannot be written.', 'Check the folder and its permissions.'),
  FORMAT_UNKNOWN: failed(
    'The content of the file is none that this command knows.',
    'It reads quotes, PCK certificates, RA-TLS certificates, CRLs, TCB info, QE identity, collateral bundles and SIGSTRUCTs.',
  ),
  FORMAT_MALFORMED: failed(
    'The file is of a known kind, but damaged.',
    'The message says where; take the file from its source again.',
  ),
  COMPONENT_MISSING: failed(
    'This part of Siegel is not in the checkout.',
    'Use a complete checkout; the message names the missing file.',
  ),
  CHECKS_FAILED: failed('At least one check of the deployment failed.', 'Each failed line says what to do.'),
  INTERNAL: failed(
    'The command line itself failed.',
    'Run it again with SIEGEL_DEBUG=1 and report what it prints.',
  ),
} as const satisfies Record<string, CliErrorEntry>;

export type CliErrorCode = keyof typeof CLI_ERRORS;
