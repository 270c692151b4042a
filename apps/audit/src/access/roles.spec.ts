import { describe, expect, it } from '@jest/globals';
import { ACTIONS, type Action, Principal, type Role, ROLES } from './roles.js';

const as = (role: Role, tenants: 'all' | string[] = 'all') => new Principal('test', [{ role, tenants }]);

describe('roles', () => {
  it.each<[Role, Action[]]>([
    ['auditor', ['events.read', 'events.export', 'entries.read', 'evidence.read']],
    ['operator', ['events.read', 'events.export', 'evidence.read']],
    ['admin', Object.keys(ACTIONS) as Action[]],
  ])('%s may do this and nothing else', (role, allowed) => {
    const may = (Object.keys(ACTIONS) as Action[]).filter((action) => as(role).may(action));
    expect(may).toEqual(allowed);
  });

  it.each(ROLES)('%s may do nothing on tenants of others', (role) => {
    const principal = as(role, ['shop']);
    expect(principal.may('events.read', 'shop')).toBe(true);
    expect(principal.may('events.read', 'bank')).toBe(false);
    expect(() => principal.require('events.read', 'bank')).toThrow(
      expect.objectContaining({ code: 'ADMIN_FORBIDDEN' }),
    );
  });

  it('add up, each on its own tenants', () => {
    const principal = new Principal('test', [
      { role: 'operator', tenants: ['shop', 'bank'] },
      { role: 'auditor', tenants: ['bank'] },
    ]);
    expect(principal.tenantsFor('events.read')).toEqual(['shop', 'bank']);
    expect(principal.tenantsFor('entries.read')).toEqual(['bank']);
    expect(principal.tenantsFor('evidence.erase')).toEqual([]);
  });

  it('confine a search that names no tenant, and refuse one that names another', () => {
    expect(as('auditor').scope('events.read', undefined)).toBeUndefined();
    expect(as('auditor', ['shop']).scope('events.read', undefined)).toEqual(['shop']);
    expect(as('auditor', ['shop']).scope('events.read', 'shop')).toBeUndefined();
    expect(() => as('auditor', ['shop']).scope('events.read', 'bank')).toThrow();
    expect(() => new Principal('nobody', []).scope('events.read', undefined)).toThrow();
  });
});
