import { describe, expect, it } from '@jest/globals';
import { Principal } from '../access/roles.js';
import { EVENT_FIELDS } from './event-fields.js';
import { EventFilters } from './query-schema.js';
import { scopedFilters } from './scoped-filters.js';

const everybody = new Principal('test', [{ role: 'operator', tenants: 'all' }]);
const shop = new Principal('test', [{ role: 'operator', tenants: ['shop'] }]);
const read = (query: Record<string, unknown>, caller = everybody) =>
  scopedFilters(EventFilters.parse(query), caller, 'events.read');

describe('fields', () => {
  it('are all that an event of any kind can have', () => {
    for (const path of [
      'mrsigner',
      'emitter.epoch',
      'emitter.seq',
      'reason.message',
      'data.evidence.fmspc',
      'data.grants.objectName',
      'data.certificate.dns',
      'data.conditions.actual',
      'data.manifest.version',
      'data.noticedBy',
    ])
      expect(EVENT_FIELDS).toContain(path);
    expect(EVENT_FIELDS).not.toContain('data');
    expect(EVENT_FIELDS).not.toContain('data.evidence');
  });

  it('become filters of their own where there is one', () => {
    const { type, fields, ...rest } = read({ field: ['type:attestation.denied', 'data.protocol:gramine'] });
    expect(type).toBe('attestation.denied');
    expect(fields).toEqual([{ path: 'data.protocol', value: 'gramine' }]);
    expect(rest).toEqual({ tenants: undefined });
  });

  it('may hold colons in their values, and be one or several', () => {
    expect(read({ field: 'data.conditions.expected:a:b' }).fields).toEqual([
      { path: 'data.conditions.expected', value: 'a:b' },
    ]);
  });

  it('given twice must both hold', () => {
    const { workload, fields } = read({ workload: 'a', field: 'workload:b' });
    expect([workload, fields]).toEqual(['a', [{ path: 'workload', value: 'b' }]]);
  });

  it.each([
    'data.nothing:1',
    'data.evidence:1',
    '__proto__:1',
    'constructor:1',
    'workload',
    'workload:',
    ':x',
    'a b:1',
    Array.from({ length: 9 }, () => 'workload:a'),
  ])('are refused as %j', (field) => {
    expect(EventFilters.safeParse({ field }).success).toBe(false);
  });
});

describe('parameters of their own name', () => {
  it('are lower case where they are hex', () => {
    expect(read({ mrsigner: 'AA'.repeat(32), boundKey: 'Kk', simulated: 'false' }).fields).toEqual([
      { path: 'mrsigner', value: 'aa'.repeat(32) },
      { path: 'simulated', value: 'false' },
      { path: 'data.boundKey', value: 'Kk' },
    ]);
  });

  it.each([{ mrsigner: 'x' }, { fmspc: '0090' }, { simulated: 'yes' }, { platform: 'aa' }, { evidence: '' }])(
    'are refused as %j',
    (query) => expect(EventFilters.safeParse(query).success).toBe(false),
  );
});

describe('tenants', () => {
  it('confine what names none, and refuse what names another, however it does', () => {
    expect(read({}, shop).tenants).toEqual(['shop']);
    expect(read({ tenant: 'shop' }, shop).tenants).toBeUndefined();
    for (const query of [{ tenant: 'bank' }, { field: 'tenant:bank' }])
      expect(() => read(query, shop)).toThrow(expect.objectContaining({ code: 'ADMIN_FORBIDDEN' }));
    // Both must hold, so the second finds nothing of the other.
    expect(read({ tenant: 'shop', field: 'tenant:bank' }, shop)).toMatchObject({
      tenant: 'shop',
      fields: [{ path: 'tenant', value: 'bank' }],
    });
  });
});
