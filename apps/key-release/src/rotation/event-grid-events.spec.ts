import { describe, expect, it } from '@jest/globals';
import { readEventGrid } from './event-grid-events.js';

const topic = (vault: string) =>
  `/subscriptions/1b0e6f9c/resourceGroups/shop/providers/Microsoft.KeyVault/vaults/${vault}`;

/** As Microsoft's documentation has it, spaces included (azure.md §5.4). */
const sample = (change: object = {}) => ({
  id: '00eccf70-95a7-4e7c-8299-2eb17ee9ad64',
  topic: topic('Sample-KV'),
  subject: 'newsecret',
  eventType: 'Microsoft.KeyVault.SecretNewVersionCreated',
  eventTime: '2026-07-25T01:08:33.1036736Z',
  data: {
    Id: 'https://sample-kv.vault.azure.net/secrets/newsecret/ee059b2bb5bc48398a53b168c6cdcb10',
    'VaultName ': 'sample-kv',
    ObjectType: 'Secret',
    'ObjectName ': 'newsecret',
    Version: ' ee059b2bb5bc48398a53b168c6cdcb10',
    NBF: '1559081980',
    EXP: '1559082102',
  },
  dataVersion: '1',
  metadataVersion: '1',
  ...change,
});
const taken = {
  kind: 'events',
  azureNames: ['sample-kv'],
  notifications: [
    {
      id: '00eccf70-95a7-4e7c-8299-2eb17ee9ad64',
      azureName: 'sample-kv',
      objectType: 'object',
      objectName: 'newsecret',
    },
  ],
};

describe('readEventGrid', () => {
  it("reads Event Grid's schema, trimming keys and values", () => {
    expect(readEventGrid([sample()])).toEqual(taken);
  });

  it('reads CloudEvents 1.0, one or many', () => {
    const { id, topic: source, eventType: type, data } = sample();
    const event = { specversion: '1.0', id, source, type, data };
    expect(readEventGrid(event)).toEqual(taken);
    expect(readEventGrid([event])).toEqual(taken);
  });

  it('tells keys from objects, and takes what means nothing here without a notification', () => {
    const key = sample({ eventType: 'Microsoft.KeyVault.KeyNewVersionCreated' });
    const certificate = sample({ eventType: 'Microsoft.KeyVault.CertificateNearExpiry' });
    const policy = sample({ eventType: 'Microsoft.KeyVault.VaultAccessPolicyChanged', data: {} });
    const { notifications } = readEventGrid([key, certificate, policy]) as typeof taken;
    expect(notifications.map(({ objectType }) => objectType)).toEqual(['key', 'object']);
  });

  it('gives the code of a validation, which comes alone', () => {
    const eventType = 'Microsoft.EventGrid.SubscriptionValidationEvent';
    const validation = sample({ eventType, data: { validationCode: ' ABC ' } });
    expect(readEventGrid([validation])).toEqual({
      kind: 'validation',
      code: 'ABC',
      azureNames: ['sample-kv'],
    });
    expect(() => readEventGrid([validation, sample()])).toThrow();
    expect(() => readEventGrid([sample({ eventType, data: {} })])).toThrow();
    expect(() => readEventGrid([sample({ eventType, data: { validationCode: 'A\nB' } })])).toThrow();
  });

  it.each([
    ['null', null],
    ['a number', 1],
    ['an empty batch', []],
    ['65 events', Array.from({ length: 65 }, () => sample())],
    ['nested arrays', [[sample()]]],
    ['no id', [sample({ id: '' })]],
    ['a long id', [sample({ id: 'x'.repeat(257) })]],
    ['data that is a text', [sample({ data: 'text' })]],
    [
      'many members',
      [{ ...sample(), ...Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`m${i}`, i])) }],
    ],
    ['a topic with more behind it', [sample({ topic: `${topic('sample-kv')}/secrets/x` })]],
    ['a topic of another provider', [sample({ topic: topic('sample-kv').replace('KeyVault', 'Storage') })]],
    ['a CloudEvent of another version', { ...sample(), specversion: '0.3' }],
    ['a name with a path', [sample({ data: { VaultName: 'sample-kv', ObjectName: 'a/b' } })]],
    ['topic and data of different vaults', [sample({ data: { VaultName: 'other', ObjectName: 'a' } })]],
  ])('refuses %s', (_name, body) => {
    expect(() => readEventGrid(body)).toThrow(expect.objectContaining({ code: 'HOOK_EVENT_INVALID' }));
  });
});
