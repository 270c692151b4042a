import 'reflect-metadata';
import { X509Certificate } from '@peculiar/x509';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { type LeafOptions, TestCa } from '../../../../test/identity/test-certificates.js';
import { ClientCertificates } from './client-certificates.js';

const known = new ClientCertificates([
  { san: 'uri:spiffe://shop/auditor', roles: ['auditor'], tenants: ['shop'] },
  { san: 'dns:ops.shop', roles: ['operator'], tenants: 'all' },
  { san: 'email:alice@shop.example', roles: ['auditor', 'admin'], tenants: ['shop'] },
  { subject: { CN: 'bob', O: 'Shop' }, roles: ['operator'], tenants: ['shop'] },
]);
let ca: TestCa;
beforeAll(async () => {
  ca = await TestCa.create();
});
const principal = async (options: LeafOptions) =>
  known.principalOf(new X509Certificate((await ca.leaf(options)).certPem));

describe('names of a client certificate', () => {
  it.each<[LeafOptions, string[] | 'all', string[] | 'all']>([
    [{ san: [{ type: 'url', value: 'spiffe://shop/auditor' }] }, ['shop'], ['shop']],
    [{ san: [{ type: 'dns', value: 'ops.shop' }] }, 'all', []],
    [{ san: [{ type: 'email', value: 'alice@shop.example' }] }, ['shop'], ['shop']],
    [{ subject: 'CN=bob, O=Shop, C=DE' }, ['shop'], []],
    // Nothing is granted by likeness.
    [{ san: [{ type: 'url', value: 'spiffe://shop/auditor/x' }] }, [], []],
    [{ san: [{ type: 'dns', value: 'OPS.shop' }] }, [], []],
    [{ san: [{ type: 'dns', value: 'spiffe://shop/auditor' }] }, [], []],
    [{ subject: 'CN=bob' }, [], []],
    [{ subject: 'CN=bob, CN=eve, O=Shop' }, [], []],
    [{ subject: 'CN="bob, O=Shop"' }, [], []],
    [{ subject: 'CN=ops.shop' }, [], []],
  ])('%j', async (options, reads, entries) => {
    const found = await principal(options);
    expect(found.tenantsFor('events.read')).toEqual(reads);
    expect(found.tenantsFor('entries.read')).toEqual(entries);
  });

  it('name the caller', async () => {
    expect((await principal({ san: [{ type: 'url', value: 'spiffe://shop/auditor' }] })).name).toBe(
      'cert:uri:spiffe://shop/auditor',
    );
  });
});
