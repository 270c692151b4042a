import type { ReleasePayload, SiegelError } from '#contracts';
import type { GramineGrant, Grants, SecretGrant } from '#policy';
import { describe, expect, it } from '@jest/globals';
import { SecretCarrier } from './secret-carrier.js';

const secret = (objectAlias: string, as: SecretGrant['as'] = 'env'): SecretGrant => ({
  vault: 'v',
  objectName: objectAlias,
  objectType: 'secret',
  objectAlias,
  as,
  ...(as === 'file' ? { path: `/${objectAlias}`, mode: '0400' } : {}),
});
const grants = (gramine: GramineGrant | undefined, ...secrets: SecretGrant[]): Grants => ({
  secrets,
  env: { PLAIN: 'value' },
  argv: ['run'],
  certificate: { dns: ['a.svc'], ttlSeconds: 3_600 },
  tokenTtlSeconds: 900,
  sessionLifetimeSeconds: 900,
  onDegraded: 'event',
  ...(gramine ? { gramine } : {}),
});
const payload = (env: Record<string, string>, files: Record<string, Uint8Array> = {}): ReleasePayload => ({
  v: 1,
  workload: 'w',
  env,
  files: Object.entries(files).map(([path, content]) => ({
    path,
    mode: '0400',
    content: Buffer.from(content).toString('base64'),
  })),
  argv: [],
});

function message(gramine: GramineGrant, secrets: SecretGrant[], released: ReleasePayload): Buffer {
  const carrier = new SecretCarrier(() => undefined);
  carrier.accept(released, carrier.select(grants(gramine, ...secrets)));
  return carrier.message;
}
function reason(act: () => unknown): string | undefined {
  try {
    act();
  } catch (error) {
    return (error as SiegelError).reason?.code;
  }
  return undefined;
}
const raw = (encoding: GramineGrant['encoding'], delivery: GramineGrant['delivery'] = 'raw') => ({
  delivery,
  secret: 'a',
  encoding,
});

describe('what is selected', () => {
  const select = (gramine: GramineGrant | undefined, ...secrets: SecretGrant[]) =>
    new SecretCarrier(() => undefined).select(grants(gramine, ...secrets));

  it('is the one secret, and nothing beside it', () => {
    const chosen = select(raw('none'), secret('a'), secret('b'));
    expect(chosen.secrets.map(({ objectAlias }) => objectAlias)).toEqual(['a']);
    expect(chosen).toMatchObject({ env: {} });
    expect(chosen).not.toHaveProperty('certificate');
    expect(chosen).not.toHaveProperty('argv');
  });

  it('is everything but command lines and certificates for a bundle', () => {
    const chosen = select(
      { delivery: 'json-bundle', encoding: 'none' },
      secret('a'),
      secret('b', 'file'),
      secret('c', 'argv'),
    );
    expect(chosen.secrets.map(({ objectAlias }) => objectAlias)).toEqual(['a', 'b']);
    expect(chosen.env).toEqual({ PLAIN: 'value' });
    expect(chosen).not.toHaveProperty('certificate');
  });

  it('is nothing without a gramine section, and then the key is not used up', () => {
    let asked = 0;
    const carrier = new SecretCarrier(() => asked++);
    expect(reason(() => carrier.select(grants(undefined, secret('a'))))).toBe('GRAMINE_NOT_GRANTED');
    expect(asked).toBe(0);
  });
});

describe('the message', () => {
  it.each([
    ['text', raw('none', 'env-string'), payload({ a: 'ä' }), Buffer.from('ä\0')],
    ['an empty text', raw('none', 'env-string'), payload({ a: '' }), Buffer.of(0)],
    ['hex in capitals', raw('hex'), payload({ a: '00FF' }), Buffer.of(0, 255)],
    ['base64', raw('base64'), payload({ a: '+/8=' }), Buffer.of(0xfb, 0xff)],
    ['base64url without padding', raw('base64'), payload({ a: '-_8' }), Buffer.of(0xfb, 0xff)],
  ] as const)('%s', (_what, gramine, released, bytes) => {
    expect(message(gramine, [secret('a')], released)).toEqual(bytes);
  });

  it('takes the bytes of a file as they are', () => {
    expect(message(raw('none'), [secret('a', 'file')], payload({}, { '/a': Buffer.of(0, 1, 2) }))).toEqual(
      Buffer.of(0, 1, 2),
    );
  });

  it.each([
    ['GRAMINE_SECRET_EMPTY', raw('none'), payload({ a: '' })],
    ['GRAMINE_ENCODING', raw('hex'), payload({ a: '0' })],
    ['GRAMINE_ENCODING', raw('hex'), payload({ a: '00\n' })],
    ['GRAMINE_ENCODING', raw('base64'), payload({ a: 'a b' })],
    ['GRAMINE_KEY_SIZE', raw('none', 'raw16'), payload({ a: 'x'.repeat(17) })],
    ['GRAMINE_KEY_SIZE', raw('none', 'hex16'), payload({ a: 'ab'.repeat(16) })],
    ['GRAMINE_SECRET_TOO_LONG', raw('none', 'env-string'), payload({ a: 'ä'.repeat(2_048) })],
    [
      'GRAMINE_SECRET_TOO_LONG',
      { delivery: 'json-bundle', encoding: 'none' } as const,
      payload({ a: 'x'.repeat(4_080) }),
    ],
  ] as const)('%s (%#)', (code, gramine, released) => {
    expect(reason(() => message(gramine, [secret('a')], released))).toBe(code);
  });

  it('is never cut at a NUL', () => {
    const file = [secret('a', 'file')];
    const released = payload({}, { '/a': Buffer.from('a\0b') });
    expect(reason(() => message(raw('none', 'env-string'), file, released))).toBe('SECRET_NOT_TEXT');
  });

  it('is not chosen among several secrets of one alias', () => {
    const twice = [secret('a'), secret('a', 'file')];
    expect(reason(() => message(raw('none'), twice, payload({ a: 'x' })))).toBe('GRAMINE_SECRET_UNCLEAR');
  });
});
