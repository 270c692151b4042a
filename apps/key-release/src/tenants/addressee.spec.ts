import { describe, expect, it } from '@jest/globals';
import { addresseeOf } from './addressee.js';
import { TenantResolver } from './tenant-resolver.js';

describe('whom a server name means', () => {
  const tenants = new TenantResolver('shop.example=shop,bank.shop.example=bank', 'other');
  it.each([
    ['shop.example', { tenant: 'shop' }],
    ['SHOP.example.', { tenant: 'shop' }],
    ['payments.shop.example', { tenant: 'shop', workloadHint: 'payments' }],
    ['bank.shop.example', { tenant: 'bank' }],
    ['payments.bank.shop.example', { tenant: 'bank', workloadHint: 'payments' }],
    ['a.b.shop.example', { tenant: 'other' }],
    ['10.0.0.1', { tenant: 'other' }],
    [false, { tenant: 'other' }],
    [null, { tenant: 'other' }],
  ] as const)('%s', (name, expected) => {
    expect(addresseeOf(tenants, name)).toEqual(expected);
  });

  it('nobody, where only listed hosts have a tenant', () => {
    const listed = new TenantResolver('shop.example=shop', undefined);
    expect(() => addresseeOf(listed, 'elsewhere.example')).toThrow(/host name/);
  });
});
