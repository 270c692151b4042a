import { Deployment, timeoutOf } from '../deployment/deployment.js';
import type { DeploymentOptions } from '../deployment/options.js';
import { CliError } from '../failure/cli-error.js';
import { readWhole } from '../input/bounded-input.js';
import type { Terminal } from '../terminal/terminal.js';
import { openPublishedLog, type PublishedLog, type PublishedLogOptions } from './published-log.js';

const MAX_CREDENTIAL_BYTES = 1024 * 1024;

/** A folder or an address that was named, with the credentials that were named: the deployment's own are not for whatever stands here. */
export async function openNamedLog(
  where: string,
  options: DeploymentOptions,
  terminal: Terminal,
): Promise<PublishedLog> {
  return openPublishedLog(where, await namedAccess(options, terminal), terminal);
}

/** Where the audit service of the deployment publishes the log of a tenant, with the deployment's credentials. */
export async function openDeployedLog(
  tenant: string,
  options: DeploymentOptions,
  terminal: Terminal,
): Promise<PublishedLog> {
  const deployment = await Deployment.open(options, terminal);
  const credentials = await deployment.credentialsOf('audit');
  const where = `${deployment.url('audit')}/v1/logs/${tenant}`;
  return openPublishedLog(where, { timeoutMs: deployment.timeoutMs, ...credentials }, terminal);
}

async function namedAccess(options: DeploymentOptions, terminal: Terminal): Promise<PublishedLogOptions> {
  const text = async (path: string | undefined): Promise<string | undefined> =>
    path === undefined ? undefined : (await readWhole(path, MAX_CREDENTIAL_BYTES, terminal)).toString('utf8');
  const [token, caPem, cert, key] = await Promise.all(
    [options.auditTokenFile, options.caFile, options.auditCertFile, options.auditKeyFile].map(text),
  );
  if ((cert === undefined) !== (key === undefined))
    throw CliError.of('USAGE', 'Client certificate and key belong together.');
  return {
    timeoutMs: timeoutOf(options.timeout),
    token: token?.trim(),
    caPem,
    ...(cert === undefined || key === undefined ? {} : { client: { cert, key } }),
  };
}
