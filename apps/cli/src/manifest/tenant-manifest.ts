import { ERROR_CATALOGUE, ManifestHistory, ManifestView } from '#contracts';
import type { z } from 'zod';
import { CliError } from '../failure/cli-error.js';
import type { ApiClient, ApiRequest } from '../http/api-client.js';

/** One tenant's manifest behind the admin API of key-release. */
export class TenantManifest {
  constructor(
    private readonly client: ApiClient,
    readonly tenant: string,
  ) {}

  /** @throws CliError with the code that the service answered with (MANIFEST_MISSING: none is in force) */
  async current(): Promise<ManifestView> {
    try {
      return await this.read(ManifestView, '/manifest');
    } catch (error) {
      throw isNoManifest(error) ? noManifest() : error;
    }
  }

  /** The version in force, 0 if there is none. */
  async currentVersion(): Promise<number> {
    try {
      return (await this.current()).version;
    } catch (error) {
      if (error instanceof CliError && error.code === 'MANIFEST_MISSING') return 0;
      throw error;
    }
  }

  history(): Promise<ManifestHistory> {
    return this.read(ManifestHistory, '/manifest/history');
  }

  /**
   * Replaces exactly `replaces` (0: none). JSON goes as YAML, whose subset it is: the service keeps the text as it is.
   * @throws CliError MANIFEST_CONFLICT, MANIFEST_INVALID, …
   */
  set(text: string, replaces: number): Promise<ManifestView> {
    const condition: Record<string, string> =
      replaces === 0 ? { 'if-none-match': '*' } : { 'if-match': `"${replaces}"` };
    return this.read(ManifestView, '/manifest', {
      method: 'PUT',
      body: text,
      contentType: 'application/yaml',
      headers: condition,
    });
  }

  private async read<T extends z.ZodType>(
    schema: T,
    path: string,
    request?: ApiRequest,
  ): Promise<z.output<T>> {
    const answer = await this.client.json(`/v1/tenants/${this.tenant}${path}`, request);
    const result = schema.safeParse(answer.body);
    if (result.success) return result.data;
    throw CliError.of(
      'SERVICE_ANSWER_INVALID',
      `${this.client.service} answered with something else than a manifest record.`,
    );
  }
}

/** To HTTP the manifest that is not there is an address with nothing at it. */
export const isNoManifest = (error: unknown): boolean =>
  error instanceof CliError && (error.code === 'NOT_FOUND' || error.code === 'MANIFEST_MISSING');

export function noManifest(): CliError {
  const { title, remedy } = ERROR_CATALOGUE.MANIFEST_MISSING;
  return CliError.answered('MANIFEST_MISSING', title, remedy);
}
