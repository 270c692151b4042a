import { describe, expect, it } from '@jest/globals';
import { ConfigurationError } from '#platform';
import { TenantResolver } from './tenant-resolver.js';

describe('TenantResolver', () => {
  const resolver = new TenantResolver('shop.example=shop, Bank.Example=bank', undefined);

  it.each([
    ['shop.example', 'shop'],
    ['SHOP.example:8443', 'shop'],
    ['bank.example.', 'bank'],
  ])('%s belongs to %s', (host, tenant) => expect(resolver.resolve(host)).toBe(tenant));

  it.each([undefined, '', 'other.example', 'shop.example.evil', '[::1]:8443'])('refuses %s', (host) => {
    expect(() => resolver.resolve(host)).toThrow(expect.objectContaining({ code: 'TENANT_UNKNOWN' }));
  });

  it('gives every other host to the default tenant where there is one', () => {
    const open = new TenantResolver('shop.example=shop', 'default');
    expect(open.resolve('other.example')).toBe('default');
    expect([...open.tenants].sort()).toEqual(['default', 'shop']);
  });

  it('knows which tenants exist', () => {
    expect(resolver.require('bank')).toBe('bank');
    expect(() => resolver.require('default')).toThrow(expect.objectContaining({ code: 'TENANT_UNKNOWN' }));
  });

  it.each(['shop.example', 'a=b=c', 'shop.example=Not_A_Label', '=shop'])(
    'refuses the configuration %s',
    (pairs) => {
      expect(() => new TenantResolver(pairs, undefined)).toThrow(ConfigurationError);
    },
  );

  it('refuses a configuration without any tenant', () => {
    expect(() => new TenantResolver('', undefined)).toThrow(/SIEGEL_DEFAULT_TENANT/);
  });
});
