import { DEFAULT_TENANT, TENANT_PATTERN } from '#contracts';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CliError } from '../failure/cli-error.js';
import { ApiClient, type ClientIdentity } from '../http/api-client.js';
import type { Terminal } from '../terminal/terminal.js';
import type { DeploymentOptions, Service } from './options.js';
import { findDeployment, stateFolder, type FoundDeployment } from './siegel-json.js';

const DEFAULT_TIMEOUT_MS = 15_000;
const MAX_CREDENTIAL_BYTES = 1024 * 1024;

export interface ServiceCredentials {
  readonly caPem: string | undefined;
  readonly token: string | undefined;
  readonly client: ClientIdentity | undefined;
}

/** Names for messages. */
export const SERVICE_NAMES: Readonly<Record<Service, string>> = {
  release: 'key-release',
  verifier: 'quote-verifier',
  audit: 'audit',
};

/** A deployment as one command sees it: flags before environment before siegel.json. */
export class Deployment {
  private constructor(
    private readonly options: DeploymentOptions,
    private readonly terminal: Terminal,
    readonly found: FoundDeployment | undefined,
    readonly timeoutMs: number,
  ) {}

  /** @throws CliError STATE_NOT_FOUND, STATE_INVALID, USAGE */
  static async open(options: DeploymentOptions, terminal: Terminal): Promise<Deployment> {
    return new Deployment(
      options,
      terminal,
      await findDeployment(options.state, terminal),
      timeoutOf(options.timeout),
    );
  }

  /**
   * A client for one service, with its CA and, unless `anonymous`, its token.
   * @throws CliError STATE_NOT_FOUND, STATE_INVALID, CREDENTIAL_UNREADABLE
   */
  async client(service: Service, { anonymous = false } = {}): Promise<ApiClient> {
    const { caPem, token, client } =
      anonymous || service === 'verifier'
        ? { caPem: await this.credential('CA', this.caFile()) }
        : await this.credentialsOf(service);
    return new ApiClient({
      service: SERVICE_NAMES[service],
      baseUrl: this.url(service),
      timeoutMs: this.timeoutMs,
      ...(caPem === undefined ? {} : { caPem }),
      ...(token === undefined ? {} : { token }),
      ...(client === undefined ? {} : { client }),
    });
  }

  /**
   * CA, and token or client certificate, of a service, for whoever talks to it in another way than JSON.
   * @throws CliError CREDENTIAL_UNREADABLE, USAGE
   */
  async credentialsOf(service: Service): Promise<ServiceCredentials> {
    const client = service === 'audit' ? await this.clientIdentity() : undefined;
    const [caPem, token] = await Promise.all([
      this.credential('CA', this.caFile()),
      this.token(service, client === undefined),
    ]);
    return { caPem, token: token?.trim(), client };
  }

  private async clientIdentity(): Promise<ClientIdentity | undefined> {
    const certFile = this.options.auditCertFile ?? this.variable('SIEGEL_AUDIT_CERT_FILE');
    const keyFile = this.options.auditKeyFile ?? this.variable('SIEGEL_AUDIT_KEY_FILE');
    if ((certFile === undefined) !== (keyFile === undefined))
      throw CliError.of('USAGE', 'Client certificate and key belong together.');
    const [cert, key] = await Promise.all([
      this.credential('client certificate', certFile),
      this.credential('client key', keyFile),
    ]);
    return cert === undefined || key === undefined ? undefined : { cert, key };
  }

  url(service: Service): string {
    const { content } = this.found ?? {};
    const [option, variable] = {
      release: [this.options.url, 'SIEGEL_URL'],
      verifier: [this.options.verifierUrl, 'SIEGEL_VERIFIER_URL'],
      audit: [this.options.auditUrl, 'SIEGEL_AUDIT_URL'],
    }[service] as [string | undefined, string];
    const url = option ?? this.variable(variable) ?? content?.[service]?.url;
    if (url === undefined) throw this.nowhere(service);
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
      throw CliError.of('USAGE', `"${url}" is not an http or https address.`);
    }
    return url;
  }

  /** @throws CliError USAGE if it is no tenant name */
  tenant(option: string | undefined): string {
    const tenant = option ?? this.variable('SIEGEL_TENANT') ?? this.found?.content.tenant ?? DEFAULT_TENANT;
    if (!TENANT_PATTERN.test(tenant)) {
      throw CliError.of(
        'USAGE',
        `"${tenant}" is not a tenant: a DNS label, lower-case letters, digits and hyphens.`,
      );
    }
    return tenant;
  }

  vault(option: string | undefined): string {
    const vault = option ?? this.variable('SIEGEL_VAULT') ?? this.found?.content.vault;
    if (vault === undefined) throw CliError.of('USAGE', 'Name the vault with --vault.');
    if (!/^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/.test(vault))
      throw CliError.of('USAGE', `"${vault}" is not a vault's name.`);
    return vault;
  }

  /** A token outweighs a certificate: the deployment's own is left out where a certificate was named. */
  private token(service: Service, withOwn = true): Promise<string | undefined> {
    const content = withOwn ? this.found?.content : undefined;
    return service === 'audit'
      ? this.credential(
          'audit token',
          this.options.auditTokenFile ?? this.variable('SIEGEL_AUDIT_TOKEN_FILE'),
          content?.audit?.tokenFile,
        )
      : this.credential(
          'administrator token',
          this.options.adminTokenFile ?? this.variable('SIEGEL_ADMIN_TOKEN_FILE'),
          content?.adminTokenFile,
        );
  }

  private caFile(): string | undefined {
    const named = this.options.caFile ?? this.variable('SIEGEL_CA_FILE');
    if (named !== undefined) return resolve(this.terminal.cwd, named);
    const own = this.found?.content.release?.caFile;
    return own === undefined || !this.found ? undefined : resolve(this.found.folder, own);
  }

  /** Reads a small file: `named` relative to where the user stands, else `own` relative to siegel.json. */
  private async credential(
    what: string,
    named: string | undefined,
    own?: string,
  ): Promise<string | undefined> {
    const path =
      named !== undefined
        ? resolve(this.terminal.cwd, named)
        : own !== undefined && this.found
          ? resolve(this.found.folder, own)
          : undefined;
    if (path === undefined) return undefined;
    try {
      const text = await readFile(path, 'utf8');
      if (text.length > MAX_CREDENTIAL_BYTES) throw new Error('too large');
      return text;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      throw CliError.of(
        'CREDENTIAL_UNREADABLE',
        `The ${what} file "${path}" cannot be read (${code ?? message}).`,
        {
          cause: error,
        },
      );
    }
  }

  private variable(name: string): string | undefined {
    return this.terminal.env[name] || undefined;
  }

  private nowhere(service: Service): CliError {
    return this.found
      ? CliError.of('STATE_INVALID', `"${this.found.path}" does not say where ${SERVICE_NAMES[service]} is.`)
      : CliError.of(
          'STATE_NOT_FOUND',
          `There is no deployment in "${stateFolder(undefined, this.terminal)}".`,
        );
  }
}

/** Of `--timeout`, in milliseconds. @throws CliError USAGE */
export function timeoutOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_TIMEOUT_MS;
  const seconds = /^\d{1,4}(?:\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds > 0 && seconds <= 3_600)) {
    throw CliError.of('USAGE', `--timeout "${text}" is not a number of seconds between 0 and 3600.`);
  }
  return seconds * 1_000;
}
