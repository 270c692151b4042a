import { SiegelError, TENANT_PATTERN } from '#contracts';
import { ConfigurationError } from '#platform';

/** Which tenant a host name belongs to (DESIGN §5: per tenant, chosen by host name / SNI). */
export class TenantResolver {
  private readonly byHost = new Map<string, string>();
  readonly tenants: ReadonlySet<string>;

  constructor(
    pairs: string,
    private readonly fallback: string | undefined,
  ) {
    for (const pair of pairs
      .split(',')
      .map((text) => text.trim())
      .filter(Boolean)) {
      const [host, tenant, ...rest] = pair.split('=');
      if (!host || !tenant || rest.length > 0)
        this.refuse('SIEGEL_TENANT_HOSTS', `"${pair}" is not host=tenant`);
      this.byHost.set(host!.toLowerCase(), this.named('SIEGEL_TENANT_HOSTS', tenant!));
    }
    if (fallback !== undefined) this.named('SIEGEL_DEFAULT_TENANT', fallback);
    this.tenants = new Set([...this.byHost.values(), ...(fallback === undefined ? [] : [fallback])]);
    if (this.tenants.size === 0) this.refuse('SIEGEL_DEFAULT_TENANT', 'no tenant is configured');
  }

  /** @param host Host header or SNI, with or without a port. @throws SiegelError TENANT_UNKNOWN */
  resolve(host: string | undefined): string {
    const name = (host ?? '')
      .replace(/:\d{1,5}$/, '')
      .replace(/\.$/, '')
      .toLowerCase();
    const tenant = this.byHost.get(name) ?? this.fallback;
    if (tenant === undefined) throw new SiegelError('TENANT_UNKNOWN');
    return tenant;
  }

  /** The tenant of a listed host, without any fallback. */
  listed(host: string): string | undefined {
    return this.byHost.get(host);
  }

  get hosts(): Iterable<string> {
    return this.byHost.keys();
  }

  /** @throws SiegelError TENANT_UNKNOWN for a tenant that no host leads to */
  require(tenant: string): string {
    if (!this.tenants.has(tenant))
      throw new SiegelError('TENANT_UNKNOWN', { detail: 'no such tenant is configured' });
    return tenant;
  }

  private named(variable: string, tenant: string): string {
    if (!TENANT_PATTERN.test(tenant)) this.refuse(variable, `"${tenant}" is not a tenant name (a DNS label)`);
    return tenant;
  }

  private refuse(variable: string, message: string): never {
    throw new ConfigurationError([{ variable, message }]);
  }
}
