import { SiegelError } from '#contracts';

/**
 * Who works with the log. An auditor checks it, an operator finds out what happened, an admin besides changes what is kept and which
 * key signs. Nobody can change an event.
 */
export const ROLES = ['auditor', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** What each role may do, on the tenants that it was granted for; what does not stand here nobody may. */
export const ACTIONS = {
  /** Search, counts, stories, live view, one event. */
  'events.read': ['auditor', 'operator', 'admin'],
  /** Everything that matches, as a stream. */
  'events.export': ['auditor', 'operator', 'admin'],
  /** Entry bundles: the log itself, for whoever verifies all of it. */
  'entries.read': ['auditor', 'admin'],
  /** The evidence behind events, and the collateral that it was judged with. */
  'evidence.read': ['auditor', 'operator', 'admin'],
  /** Removing evidence before its time. */
  'evidence.erase': ['admin'],
} as const satisfies Readonly<Record<string, readonly Role[]>>;
export type Action = keyof typeof ACTIONS;

/** A role on some tenants. */
export interface Grant {
  readonly role: Role;
  readonly tenants: 'all' | readonly string[];
}

/** Whoever asks, after authentication. */
export class Principal {
  constructor(
    /** For events and logs: `token`, `oidc:<subject>`, `cert:<name>`. */
    readonly name: string,
    private readonly grants: readonly Grant[],
  ) {}

  /** The tenants on which this principal may act so. */
  tenantsFor(action: Action): 'all' | readonly string[] {
    const allowed: readonly Role[] = ACTIONS[action];
    const tenants = new Set<string>();
    for (const grant of this.grants) {
      if (!allowed.includes(grant.role)) continue;
      if (grant.tenants === 'all') return 'all';
      for (const tenant of grant.tenants) tenants.add(tenant);
    }
    return [...tenants];
  }

  may(action: Action, tenant?: string): boolean {
    const tenants = this.tenantsFor(action);
    if (tenants === 'all') return true;
    return tenant === undefined ? tenants.length > 0 : tenants.includes(tenant);
  }

  /** @throws SiegelError ADMIN_FORBIDDEN */
  require(action: Action, tenant?: string): void {
    if (!this.may(action, tenant)) throw new SiegelError('ADMIN_FORBIDDEN');
  }

  /**
   * The tenants that a search is confined to: undefined is no confinement.
   * @param wanted the tenant that the search itself names
   * @throws SiegelError ADMIN_FORBIDDEN if it names one of another
   */
  scope(action: Action, wanted: string | undefined): readonly string[] | undefined {
    this.require(action, wanted);
    const tenants = this.tenantsFor(action);
    return tenants === 'all' || wanted !== undefined ? undefined : tenants;
  }
}
