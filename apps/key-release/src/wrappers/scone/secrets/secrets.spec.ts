import { scone } from '#policy';
import { describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { renderBundle } from './bundle.js';
import { base32, formatSecret } from './formats.js';
import { makeSecrets, renewCertificates } from './make-secrets.js';
import type { MadeSecret, MadeSecrets } from './made-secret.js';
import { renderBytes, renderText } from './render-template.js';

const NOW = new Date('2026-11-23T12:00:00Z');
const NONE: MadeSecrets = new Map();

function session(secrets: string) {
  const read = scone.readSession(`name: a\nversion: 0.3\nsecrets:\n${secrets.replace(/^/gm, '  ')}`);
  if (!read.ok || read.faults.length > 0) throw new Error(JSON.stringify(read.faults));
  return read.session.secrets;
}
const made = (secrets: string, previous = NONE, now = NOW) => makeSecrets(session(secrets), previous, now);
async function one(lines: string): Promise<MadeSecret> {
  return (await made(`- { name: s, ${lines} }`)).get('s')!;
}
const form = (secret: MadeSecret, format = '', legacy = false): string =>
  formatSecret('s', secret, format, legacy).toString('latin1');

const CHAIN = `
- { name: root_key, kind: private-key, key_type: P-384 }
- { name: root, kind: x509-ca, private_key: root_key, common_name: Root, valid_for: 10 years }
- { name: sub, kind: x509-ca, issuer: root }
- { name: key, kind: private-key }
- { name: server, kind: x509, private_key: key, issuer: sub, endpoint: server, san: ["dns:a.example", "ip:10.0.0.1"], valid_for: 90 days }
- { name: client, kind: x509, issuer: sub, endpoint: client }
- { name: verify, kind: public-key, private_key: key }`;

describe('secrets of a session', () => {
  it('ascii is printable and of its size; an explicit value is itself', async () => {
    const first = form(await one('kind: ascii, size: 64'));
    expect(first).toMatch(/^[\x20-\x7e]{64}$/);
    expect(form(await one('kind: ascii, size: 64'))).not.toBe(first);
    expect(form(await one('kind: ascii'))).toHaveLength(20);
    expect(form(await one('kind: ascii, value: "42"'))).toBe('42');
  });

  it('binary in all its formats', async () => {
    const secret = await one('kind: binary, value: 00ff10fb');
    expect(form(secret)).toBe('\x00\xff\x10\xfb');
    expect(form(secret, 'bin')).toBe('\x00\xff\x10\xfb');
    expect(
      ['hex', 'base64', 'base64url', 'base32', 'base32nopad'].map((format) => form(secret, format)),
    ).toEqual(['00ff10fb', 'AP8Q+w==', 'AP8Q-w', 'AD7RB6Y=', 'AD7RB6Y']);
    expect(form(secret, 'hex', true)).toBe('00ff10fb');
    expect(() => form(secret, 'base64', true)).toThrow(/no format/);
    expect(() => form(secret, 'toString')).toThrow(/no format/);
    // RFC 4648 §10.
    expect(['', 'f', 'fo', 'foo', 'foob', 'fooba', 'foobar'].map((t) => base32(Buffer.from(t)))).toEqual([
      '',
      'MY======',
      'MZXQ====',
      'MZXW6===',
      'MZXW6YQ=',
      'MZXW6YTB',
      'MZXW6YTBOI======',
    ]);
  });

  it.each(['P-256', 'P-384', 'Ed25519', 'RSA-2048'])('private keys of type %s', async (type) => {
    const secret = await one(`kind: private-key, key_type: ${type}`);
    const key = createPrivateKey(form(secret, 'pkcs8:pem'));
    const der = formatSecret('s', secret, 'der', false);
    if (type === 'Ed25519') {
      // RFC 8410 §7: version 1 (the second), with the public key at the end.
      expect(der.subarray(0, 5).toString('hex')).toBe('3051020101');
      expect(der.subarray(-32)).toEqual(
        createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32),
      );
    } else expect(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).equals(key)).toBe(true);
  });

  it('certificates chain to their root, in all formats', async () => {
    const all = await made(CHAIN);
    const server = all.get('server')!;
    const [leaf, sub, root] = ['server', 'sub', 'root'].map(
      (name) => new X509Certificate(form(all.get(name)!, 'crt')),
    ) as [X509Certificate, X509Certificate, X509Certificate];
    expect(leaf.checkIssued(sub) && leaf.verify(sub.publicKey)).toBe(true);
    expect(sub.checkIssued(root) && sub.verify(root.publicKey)).toBe(true);
    expect(root.verify(root.publicKey) && root.ca && sub.ca && !leaf.ca).toBe(true);
    expect(leaf.subject).toBe('CN=a.example');
    expect(leaf.subjectAltName).toBe('DNS:a.example, IP Address:10.0.0.1');
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(new X509Certificate(form(all.get('client')!)).keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(new Date(leaf.validTo)).toEqual(new Date('2027-02-21T12:00:00Z'));
    const pemOf = (certificate: X509Certificate) => certificate.toString();
    expect(form(server, 'chain')).toBe(pemOf(sub) + pemOf(root));
    expect(form(server, 'chain', true)).toBe(pemOf(root) + pemOf(sub) + pemOf(leaf));
    expect(form(server, 'crt:der')).toBe(leaf.raw.toString('latin1'));
    expect(leaf.checkPrivateKey(createPrivateKey(form(server, 'privatekey')))).toBe(true);
    expect(form(server, 'key', true)).toBe(form(server, 'privatekey:pkcs8:pem'));
    expect(form(all.get('verify')!, 'spki:pem')).toBe(leaf.publicKey.export({ format: 'pem', type: 'spki' }));
    expect(() => form(server, 'key')).toThrow(/no format/);
  });

  it('PKCS #12 opens with the empty password', async () => {
    const server = (await made(CHAIN)).get('server')!;
    const pfx = formatSecret('s', server, 'pkcs12-with-private-key', false);
    expect(() => createSecureContext({ pfx, passphrase: '' })).not.toThrow();
    expect(() => createSecureContext({ pfx, passphrase: 'other' })).toThrow(/mac verify/);
  });

  it('PGP keys are OpenPGP keys', async () => {
    const secret = await one('kind: pgp-key');
    expect(form(secret, 'publickey')).toMatch(/^-----BEGIN PGP PUBLIC KEY BLOCK-----/);
    expect(form(secret, 'privatekey:base64')).not.toContain('-----');
    expect(() => form(secret, 'other:binary')).toThrow(/no format/);
    const home = mkdtempSync(join(tmpdir(), 'siegel-pgp-'));
    const gpg = (input: string | Buffer, ...args: string[]) =>
      execFileSync('gpg', ['--homedir', home, '--batch', '--trust-model', 'always', ...args], {
        input,
        stdio: ['pipe', 'pipe', 'ignore'],
      });
    try {
      execFileSync('gpg', ['--version'], { stdio: 'ignore' });
    } catch {
      rmSync(home, { recursive: true });
      return;
    }
    try {
      gpg(form(secret, 'privatekey:asciiarmored'), '--import');
      expect(gpg(gpg('hello', '--encrypt', '-r', 's'), '--decrypt').toString()).toBe('hello');
      expect(gpg(gpg('hello', '--sign', '-u', 's'), '--decrypt').toString()).toBe('hello');
    } finally {
      execFileSync('gpgconf', ['--homedir', home, '--kill', 'all'], { stdio: 'ignore' });
      rmSync(home, { recursive: true, force: true });
    }
  });

  it('what they refer to must be there, and of its kind', async () => {
    await expect(made('- { name: a, kind: x509, private_key: b }')).rejects.toThrow(/no private-key/);
    await expect(made('- { name: a, kind: x509, issuer: b }\n- { name: b, kind: ascii }')).rejects.toThrow(
      /x509-ca/,
    );
    await expect(made('- { name: a, kind: x509-ca, issuer: a }')).rejects.toThrow(/refers to itself/);
    await expect(one('kind: private-key, value: nonsense')).rejects.toThrow(/no private key/);
    await expect(one('kind: binary, value: xyz')).rejects.toThrow(/not hexadecimal/);
    await expect(one('kind: x509, value: nonsense')).rejects.toThrow(/no certificate/);
  });
});

describe('certificates that come to their end', () => {
  const later = (days: number) => new Date(NOW.getTime() + days * 86_400_000);
  const renew = async (days: number) => {
    const before = await made(CHAIN);
    return { before, result: await renewCertificates(session(CHAIN), before, later(days)) };
  };

  it('are made anew after two thirds of their time, alone', async () => {
    expect((await renew(59)).result).toBeUndefined();
    const { before, result } = await renew(61);
    expect(result?.renewed).toEqual(['server']);
    for (const name of ['root_key', 'root', 'sub', 'key', 'client'])
      expect(result!.made.get(name)).toBe(before.get(name));
    const [leaf, issuer] = ['server', 'sub'].map(
      (name) => new X509Certificate(form(result!.made.get(name)!, 'crt')),
    );
    expect(leaf!.verify(issuer!.publicKey)).toBe(true);
    expect(Date.parse(leaf!.validTo)).toBe(later(61 + 90).getTime());
  });

  it('take along what they signed', async () => {
    const { result } = await renew(9 * 365);
    expect(result?.renewed.toSorted()).toEqual(['client', 'root', 'server', 'sub']);
  });
});

describe('an update of a session', () => {
  const cases: [what: string, before: string, after: string, kept: boolean][] = [
    ['ascii of the same size', 'kind: ascii, size: 9', 'kind: ascii, size: 9', true],
    ['ascii of another size', 'kind: ascii, size: 9', 'kind: ascii, size: 10', false],
    ['ascii that was given before', 'kind: ascii, value: abc', 'kind: ascii, size: 3', false],
    ['binary of the same size', 'kind: binary', 'kind: binary, size: 20', true],
    ['binary that was ascii', 'kind: ascii', 'kind: binary', false],
    ['a PGP key', 'kind: pgp-key', 'kind: pgp-key', true],
    [
      'a private key that migrates',
      'kind: private-key, migrate: true',
      'kind: private-key, migrate: true',
      true,
    ],
    [
      'a private key that migrated only before',
      'kind: private-key, migrate: true',
      'kind: private-key',
      false,
    ],
    ['a private key that migrates only now', 'kind: private-key', 'kind: private-key, migrate: true', false],
    [
      'a private key of another type',
      'kind: private-key, migrate: true',
      'kind: private-key, migrate: true, key_type: P-384',
      false,
    ],
    ['a certificate', 'kind: x509', 'kind: x509', false],
  ];
  it.each(cases)('%s: %s then %s', async (_what, before, after, kept) => {
    const first = await made(`- { name: s, ${before} }`);
    const second = await made(`- { name: s, ${after} }`, first);
    expect(form(second.get('s')!) === form(first.get('s')!)).toBe(kept);
  });
});

describe('rendering', () => {
  it('fills in every place, and values are never read again', async () => {
    const secrets = await made(
      '- { name: a, kind: ascii, value: "$$SCONE::b$$\\"" }\n- { name: b, kind: binary, value: "ff00" }',
    );
    expect(renderText('x $$SCONE::a$$ y', secrets)).toBe('x $$SCONE::b$$" y');
    expect(renderText('{"k":"$$SCONE::a|escape(json)$$"}', secrets)).toBe('{"k":"$$SCONE::b$$\\""}');
    expect(renderBytes('$$SCONE::b$$', secrets)).toEqual(Buffer.from('ff00', 'hex'));
    expect(() => renderText('$$SCONE::b$$', secrets)).toThrow(/no text/);
    expect(() => renderText('$$SCONE::c$$', secrets)).toThrow(/no secret "c"/);
    expect(() => renderText('$$SCONE::a', secrets)).toThrow(/without an end/);
  });

  it('a service gets its command, environment, files and the arguments of the host', async () => {
    const read = scone.readSession(`name: a
version: 0.3.10
secrets: [{ name: t, kind: ascii, value: "@@1" }]
services:
  - name: s
    mrenclaves: [${'ab'.repeat(32)}]
    image_name: i
    command: run $$SCONE::t$$ @@1
    pwd: /w
    environment: { T: "$$SCONE::t$$", \\@\\@H: }
images:
  - name: i
    injection_files: [{ path: /f, content: "t=$$SCONE::t$$", permission: 0o400 }, /d]
    provide_secrets: [t]
`);
    if (!read.ok) throw new Error(JSON.stringify(read.faults));
    const { services, images, secrets } = read.session;
    const values = await makeSecrets(secrets, NONE, NOW);
    expect(renderBundle(services[0]!, images[0], values, ['prog', 'one'])).toEqual({
      argv: ['run', '@@1', 'one'],
      environment: { T: '@@1' },
      hostEnvironment: ['H'],
      pwd: '/w',
      files: [{ path: '/f', mode: '0400', contentBase64: Buffer.from('t=@@1').toString('base64') }],
      templates: ['/d'],
      secrets: { t: Buffer.from('@@1').toString('base64') },
    });
    expect(() => renderBundle(services[0]!, images[0], values, ['prog'])).toThrow(/no argument 1/);
  });
});
