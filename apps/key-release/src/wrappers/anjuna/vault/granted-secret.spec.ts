import type { ReleasePayload } from '#contracts';
import type { Grants, SecretGrant } from '#policy';
import { describe, expect, it } from '@jest/globals';
import { GrantedSecret, NothingCarried, Refusal } from './granted-secret.js';
import { secretAnswer } from './vault-answers.js';

const grant = (objectName: string, more: Partial<SecretGrant> = {}): SecretGrant => ({
  vault: 'prod',
  objectName,
  objectType: 'secret',
  objectAlias: objectName,
  as: 'env',
  ...more,
});
const grantsOf = (...secrets: SecretGrant[]): Grants => ({
  secrets,
  argv: ['run', '$(x)'],
  certificate: { dns: ['app'], ttlSeconds: 60 },
  env: { MODE: 'prod' },
  tokenTtlSeconds: 60,
  sessionLifetimeSeconds: 60,
  onDegraded: 'event',
});
const payload = (content: Buffer): ReleasePayload => ({
  v: 1,
  workload: 'app',
  env: {},
  argv: [],
  files: [{ path: '/value', mode: '0400', content: content.toString('base64') }],
});
const reason = (code: string): Error =>
  expect.objectContaining({ reason: expect.objectContaining({ code }) as unknown }) as unknown as Error;

describe('a granted secret by its path', () => {
  it('is the only thing that is carried', () => {
    const { secrets, env, argv, certificate } = new GrantedSecret('prod', 'b').select(
      grantsOf(grant('a'), grant('b'), grant('c')),
    );
    expect({ secrets, env, argv, certificate }).toEqual({
      secrets: [grant('b', { as: 'file', path: '/value', mode: '0400' })],
      env: {},
      argv: undefined,
      certificate: undefined,
    });
  });

  it('may be granted twice, as variable and as file', () => {
    const twice = grantsOf(grant('a'), grant('a', { as: 'file', objectAlias: 'file' }));
    expect(new GrantedSecret('prod', 'a').select(twice).secrets).toHaveLength(1);
  });

  it('is named by the object before the alias', () => {
    const grants = grantsOf(grant('a', { objectAlias: 'b' }), grant('b', { objectAlias: 'x' }));
    expect(new GrantedSecret('prod', 'b').select(grants).secrets[0]).toMatchObject({ objectName: 'b' });
    expect(new GrantedSecret('prod', 'x').select(grants).secrets[0]).toMatchObject({ objectName: 'b' });
  });

  it('is refused where it is not granted, of another vault, or not one', () => {
    const grants = grantsOf(
      grant('a'),
      grant('b', { objectVersion: '1'.repeat(32) }),
      grant('b', { objectVersion: '2'.repeat(32) }),
    );
    expect(() => new GrantedSecret('prod', 'c').select(grants)).toThrow(reason('SECRET_NOT_GRANTED'));
    expect(() => new GrantedSecret('test', 'a').select(grants)).toThrow(reason('SECRET_NOT_GRANTED'));
    expect(() => new GrantedSecret('prod', 'A').select(grants)).toThrow(reason('SECRET_NOT_GRANTED'));
    expect(() => new GrantedSecret('prod', 'b').select(grants)).toThrow(reason('SECRET_AMBIGUOUS'));
  });

  it('is text', () => {
    const secret = new GrantedSecret('prod', 'a');
    expect(() => secret.accept(payload(Buffer.from([0xff])))).toThrow(reason('SECRET_NOT_TEXT'));
    expect(() => secret.text).toThrow();
    secret.accept(payload(Buffer.from('\ufeffä')));
    expect(secret.text).toBe('\ufeffä');
  });
});

it('nothing is carried where only the decision is wanted, and a refusal carries less', () => {
  expect(new NothingCarried().select(grantsOf(grant('a')))).toMatchObject({ secrets: [], env: {} });
  expect(() => new Refusal('VAULT_READ_ONLY', 'no').select()).toThrow(reason('VAULT_READ_ONLY'));
});

describe('the answer', () => {
  const now = new Date('2026-01-02T03:04:05Z');
  it.each([
    ['{"n":12345678901234567890, "m":1.0}', '{"n":12345678901234567890, "m":1.0}'],
    ['{"n":', '{"value":"{\\"n\\":"}'],
    ['[1]', '{"value":"[1]"}'],
    ['"x"', '{"value":"\\"x\\""}'],
    ['', '{"value":""}'],
  ])('of %s has the data %s', (text, data) => {
    expect(secretAnswer(1, text, 'v', now)).toContain(`"data":${data},"wrap_info":null`);
    const second = secretAnswer(2, text, 'v', now);
    expect(second).toContain(`"data":{"data":${data},"metadata":{`);
    expect(JSON.parse(second)).toMatchObject({
      data: { metadata: { created_time: now.toISOString(), custom_metadata: { siegel_version: 'v' } } },
    });
  });
});
