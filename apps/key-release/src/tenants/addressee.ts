import type { TenantResolver } from './tenant-resolver.js';

export interface Addressee {
  readonly tenant: string;
  readonly workloadHint?: string;
}

/**
 * Whom a client means by the name of the server that it connects to (SERVER_NAME extension, or :authority), where its protocol carries
 * no other name: a listed host is its tenant's; one label before a listed host names a workload of that tenant.
 *
 * @throws SiegelError TENANT_UNKNOWN
 */
export function addresseeOf(tenants: TenantResolver, servername: string | false | null): Addressee {
  const name = (servername || '').toLowerCase().replace(/\.$/, '');
  const [label = '', ...parent] = name.split('.');
  if (tenants.listed(name) === undefined && label !== '') {
    const tenant = tenants.listed(parent.join('.'));
    if (tenant !== undefined) return { tenant, workloadHint: label };
  }
  return { tenant: tenants.resolve(name) };
}
