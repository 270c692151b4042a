import { ERROR_CATALOGUE } from '#contracts';
import { z } from 'zod';
import { Deployment } from '../deployment/deployment.js';
import { CliError } from '../failure/cli-error.js';
import type { ApiClient } from '../http/api-client.js';
import type { Terminal } from '../terminal/terminal.js';
import type { VaultOptions } from './command.js';

/** What the admin API says about a stored secret; never its value. */
export const SecretDescription = z.looseObject({
  name: z.string(),
  version: z.string().optional(),
  contentType: z.string().optional(),
  enabled: z.boolean().optional(),
  notBefore: z.string().optional(),
  expiresOn: z.string().optional(),
  updatedOn: z.string().optional(),
});
export type SecretDescription = z.infer<typeof SecretDescription>;

const SecretList = z.looseObject({ secrets: z.array(SecretDescription) });
export type SecretList = z.infer<typeof SecretList>;

/** The secrets of one vault behind the admin API of key-release. */
export class VaultSecrets {
  private constructor(
    private readonly client: ApiClient,
    readonly tenant: string,
    readonly vault: string,
  ) {}

  /** Opens the vault that the options name, and closes its connections after `work`. */
  static async use<T>(
    options: VaultOptions,
    terminal: Terminal,
    work: (secrets: VaultSecrets) => Promise<T>,
  ): Promise<T> {
    const deployment = await Deployment.open(options, terminal);
    const [tenant, vault] = [deployment.tenant(options.tenant), deployment.vault(options.vault)];
    const client = await deployment.client('release');
    try {
      return await work(new VaultSecrets(client, tenant, vault));
    } finally {
      await client.close();
    }
  }

  async list(): Promise<SecretList> {
    return this.checked(SecretList, (await this.client.json(this.path())).body);
  }

  /** The value travels as base64 inside JSON, so that any bytes survive. */
  async put(name: string, value: Buffer, contentType: string | undefined): Promise<SecretDescription> {
    const body = JSON.stringify({
      value: value.toString('base64'),
      ...(contentType === undefined ? {} : { contentType }),
    });
    const answer = await this.client.json(this.path(name), {
      method: 'PUT',
      body,
      contentType: 'application/json',
    });
    return this.checked(SecretDescription, { name, ...(answer.body as object | undefined) });
  }

  async delete(name: string): Promise<void> {
    await this.client.json(this.path(name), { method: 'DELETE' });
  }

  private path(name?: string): string {
    const base = `/v1/tenants/${this.tenant}/vaults/${this.vault}/secrets`;
    return name === undefined ? base : `${base}/${name}`;
  }

  private checked<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
    const result = schema.safeParse(body);
    if (result.success) return result.data;
    throw CliError.of(
      'SERVICE_ANSWER_INVALID',
      `${this.client.service} answered with something else than secrets.`,
    );
  }
}

/** The names that Key Vault allows; checked here because the name becomes a path segment. @throws CliError USAGE */
export function checkSecretName(name: string): void {
  if (/^[A-Za-z0-9-]{1,127}$/.test(name)) return;
  throw CliError.of('USAGE', `"${name.slice(0, 140)}" is not a secret's name.`, {
    remedy: ERROR_CATALOGUE.SECRET_INVALID.remedy,
  });
}
