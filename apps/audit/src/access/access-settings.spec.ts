import { ConfigurationError } from '#platform';
import { afterAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readAccessFile } from './access-settings.js';
import { serverTls } from './server-tls.js';

const folder = mkdtempSync(join(tmpdir(), 'siegel-access-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'access.json');
const read = (content: unknown) => {
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return readAccessFile(path);
};
const entra = { issuer: 'https://login.example/t/v2.0', audience: 'api://siegel', tenants: 'all' };
const client = { san: 'uri:spiffe://shop/auditor', roles: ['auditor'], tenants: ['shop'] };

describe('the access file', () => {
  it('may be absent: the embedded token alone', () => {
    expect(readAccessFile(undefined)).toEqual({ embeddedToken: true, oidc: [] });
  });

  it('has presets for an issuer, and paths relative to itself', () => {
    const { oidc, mtls } = read({
      oidc: [{ ...entra, caFile: 'ca.pem' }],
      mtls: { clientCaFile: 'clients.pem', crlFile: 'clients.crl', certificates: [client] },
    });
    expect(oidc[0]).toMatchObject({
      algorithms: ['RS256'],
      rolesClaim: 'roles',
      caFile: join(folder, 'ca.pem'),
    });
    expect(mtls).toMatchObject({
      clientCaFile: join(folder, 'clients.pem'),
      crlFile: join(folder, 'clients.crl'),
    });
  });

  it.each<[string, unknown, RegExp]>([
    ['no JSON', '{', /is not JSON/],
    ['an unknown member', { tokens: true }, /tokens/],
    ['an algorithm with a shared secret', { oidc: [{ ...entra, algorithms: ['HS256'] }] }, /algorithms/],
    ['the algorithm none', { oidc: [{ ...entra, algorithms: ['none'] }] }, /algorithms/],
    ['no tenants', { oidc: [{ ...entra, tenants: undefined }] }, /tenants/],
    ['a tenant that is none', { oidc: [{ ...entra, tenants: ['Shop!'] }] }, /tenants/],
    ['no audience', { oidc: [{ ...entra, audience: '' }] }, /audience/],
    ['keys over plain http', { oidc: [{ ...entra, jwksUri: 'http://login.example/keys' }] }, /jwksUri/],
    ['an issuer that says nothing of its keys', { oidc: [{ ...entra, issuer: 'urn:x' }] }, /jwksUri/],
    ['an issuer over plain http', { oidc: [{ ...entra, issuer: 'http://login.example' }] }, /jwksUri/],
    ['one issuer twice', { oidc: [entra, entra] }, /twice/],
    ['an unknown role', { oidc: [{ ...entra, roles: { x: { role: 'root' } } }] }, /role/],
    [
      'a certificate without a name',
      { mtls: { clientCaFile: 'a', certificates: [{ ...client, san: undefined }] } },
      /san/,
    ],
    [
      'a certificate with two kinds of name',
      { mtls: { clientCaFile: 'a', certificates: [{ ...client, subject: { CN: 'a' } }] } },
      /san/,
    ],
    [
      'a name of no kind',
      { mtls: { clientCaFile: 'a', certificates: [{ ...client, san: 'alice' }] } },
      /san/,
    ],
    ['nobody who may come in', { embeddedToken: false }, /nobody/],
  ])('with %s is refused', (_, content, why) => {
    expect(() => read(content)).toThrow(ConfigurationError);
    expect(() => read(content)).toThrow(why);
  });

  it('that is missing is refused', () => {
    expect(() => readAccessFile(join(folder, 'none.json'))).toThrow(
      /SIEGEL_AUDIT_ACCESS_FILE: .*none\.json: ENOENT/,
    );
  });
});

describe('TLS of the API', () => {
  const environment = (variables: Record<string, string>) =>
    variables as unknown as Parameters<typeof serverTls>[0];

  it('is off without a certificate', () => {
    expect(serverTls(environment({}))).toBeUndefined();
  });

  it('is refused with half of it, with unreadable files, and where client certificates have nothing to come over', () => {
    expect(() => serverTls(environment({ SIEGEL_AUDIT_TLS_CERT_FILE: path }))).toThrow(/belong together/);
    const missing = { SIEGEL_AUDIT_TLS_CERT_FILE: join(folder, 'no.pem'), SIEGEL_AUDIT_TLS_KEY_FILE: path };
    expect(() => serverTls(environment(missing))).toThrow(/SIEGEL_AUDIT_TLS_CERT_FILE: names a file/);
    const nonsense = { SIEGEL_AUDIT_TLS_CERT_FILE: path, SIEGEL_AUDIT_TLS_KEY_FILE: path };
    expect(() => serverTls(environment(nonsense))).toThrow(/SIEGEL_AUDIT_TLS_CERT_FILE: or a file beside it/);
    read({ mtls: { clientCaFile: 'clients.pem', certificates: [client] } });
    expect(() => serverTls(environment({ SIEGEL_AUDIT_ACCESS_FILE: path }))).toThrow(
      /client certificates need/,
    );
  });
});
