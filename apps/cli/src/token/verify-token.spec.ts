import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../main.js';
import { recordingTerminal, type RecordingTerminal } from '../terminal/recording-terminal.js';

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const RUNTIME = Buffer.from('held');
const MRENCLAVE = 'ab'.repeat(32);
const AT = '2026-11-23T12:00:00Z';
const iat = Date.parse(AT) / 1_000;
let folder: string;
let terminal: RecordingTerminal;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'siegel-token-'));
  terminal = recordingTerminal({ cwd: folder });
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    iss: 'https://attest.example',
    iat,
    nbf: iat,
    exp: iat + 600,
    jti: 't-1',
    'x-ms-ver': '1.0',
    'x-ms-attestation-type': 'sgx',
    'x-ms-sgx-is-debuggable': false,
    'x-ms-sgx-mrenclave': MRENCLAVE,
    'x-ms-sgx-mrsigner': 'cd'.repeat(32),
    'x-ms-sgx-product-id': 1,
    'x-ms-sgx-svn': 4,
    'x-ms-sgx-report-data': createHash('sha256').update(RUNTIME).digest('hex') + '00'.repeat(32),
    'x-siegel-tcb-status': 'UpToDate',
  };
  const input = `${part({ alg: 'RS256', kid: 'k', typ: 'JWT' })}.${part(claims)}`;
  const signature = sign('sha256', Buffer.from(input), privateKey).toString('base64url');
  writeFileSync(join(folder, 'token.jwt'), `${input}.${signature}\n`);
  writeFileSync(
    join(folder, 'certs.json'),
    JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k' }] }),
  );
  writeFileSync(join(folder, 'held.bin'), RUNTIME);
  writeFileSync(join(folder, 'key.pem'), publicKey.export({ format: 'pem', type: 'spki' }));
});
afterEach(() => rmSync(folder, { recursive: true }));

const verify = (...more: string[]): Promise<number> =>
  run(
    [
      ...['token', 'verify', 'token.jwt', '--kind', 'maa', '--issuer', 'https://attest.example'],
      ...['--jwks', 'certs.json', '--at', AT, ...more],
    ],
    terminal,
  );
const mean = ['--mrenclave', MRENCLAVE.toUpperCase()];

describe('siegel token verify', () => {
  it('believes a token and says what it says', async () => {
    expect(await verify(...mean, '--runtime-data', 'held.bin', '--json')).toBe(0);
    expect(JSON.parse(terminal.written.out)).toMatchObject({
      verified: true,
      kind: 'maa',
      issuer: 'https://attest.example',
      tokenId: 't-1',
      mrenclave: MRENCLAVE,
      debug: false,
      tcbStatus: 'UpToDate',
      expiresAt: '2026-11-23T12:10:00.000Z',
    });
  });

  it('shows it to people, too', async () => {
    expect(await verify(...mean, '--unbound')).toBe(0);
    expect(terminal.written.out).toMatch(/believed\n.*mrenclave/s);
  });

  it.each([
    [['--mrenclave', 'ac'.repeat(32), '--unbound'], 'MRENCLAVE_REFUSED'],
    [[...mean, '--key', 'key.pem'], 'CLAIM_MISSING'],
    [[...mean, '--runtime-data', 'key.pem'], 'BINDING_MISMATCH'],
    [[...mean, '--unbound', '--nonce', 'n'], 'NONCE_MISMATCH'],
    [[...mean, '--unbound', '--tcb', 'OutOfDate'], 'TCB_STATUS_REFUSED'],
    [['--mrsigner', 'cd'.repeat(32), '--unbound'], 'REQUIREMENTS_INCOMPLETE'],
    [['--mrsigner', 'cd'.repeat(32), '--isvprodid', '1', '--min-isvsvn', '5', '--unbound'], 'SVN_TOO_LOW'],
  ])('refuses with %j: %s', async (options, code) => {
    expect(await verify(...options, '--json')).toBe(1);
    expect(JSON.parse(terminal.written.out)).toMatchObject({ verified: false, error: { code } });
  });

  it.each([
    [[...mean], 'USAGE'],
    [[...mean, '--unbound', '--key', 'key.pem'], 'USAGE'],
    [['--mrenclave', 'ab', '--unbound'], 'USAGE'],
    [[...mean, '--key', 'absent'], 'FILE_NOT_FOUND'],
  ])('does not understand %j', async (options, code) => {
    expect(await verify(...options, '--json')).toBe(2);
    expect(JSON.parse(terminal.written.out)).toMatchObject({ error: { code } });
  });

  it('names a key that is none', async () => {
    expect(await verify(...mean, '--key', 'held.bin', '--json')).toBe(1);
    expect(JSON.parse(terminal.written.out)).toMatchObject({ error: { code: 'FORMAT_MALFORMED' } });
  });
});
