import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SignJWT } from 'jose';
import { run } from '../main.js';
import { recordingTerminal } from '../terminal/recording-terminal.js';

const ISSUER = 'https://shareduks.uks.attest.azure.net';
const E = 'ab'.repeat(32);
const POLICY = {
  version: '1.0.0',
  anyOf: [
    {
      authority: ISSUER,
      allOf: [
        { claim: 'x-ms-sgx-mrenclave', equals: E },
        { claim: 'x-ms-sgx-is-debuggable', equals: 'false' },
        { claim: 'x-ms-sgx-svn', greaterOrEquals: 3 },
      ],
    },
  ],
};
const CLAIMS = {
  iss: ISSUER,
  'x-ms-sgx-mrenclave': E,
  'x-ms-sgx-is-debuggable': false,
  'x-ms-sgx-svn': 4,
};
const signer = generateKeyPairSync('rsa', { modulusLength: 2048 });
let folder: string;
const write = (name: string, content: unknown): string => {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
};
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'siegel-policy-'))));
afterAll(() => rmSync(folder, { recursive: true }));

const command = async (args: string[], stdin?: string) => {
  const terminal = recordingTerminal(stdin === undefined ? {} : { stdin });
  const code = await run(args, terminal);
  return { code, ...terminal.written };
};

describe('siegel policy lint', () => {
  it('is silent about a good policy', async () => {
    const { code, out } = await command(['policy', 'lint', write('good.json', POLICY)]);
    expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining('no problems') });
  });

  it('finds what published policies get wrong, each at its place', async () => {
    const text = `{"version": "1.0.0", "anyOf": [
      {"authority": "${ISSUER}/", "anyOf": [
        {"claim": "x-ms-sgx-mrsigner", "equals": "Not-A-Hash"},
        {"claim": "x-ms-sgx-mrenklave", "equals": "${E}"}]}]}`;
    const { code, out } = await command(['policy', 'lint', '-', '--json'], text);
    const { ok, problems } = JSON.parse(out) as { ok: boolean; problems: { code: string; line: number }[] };
    expect({ code, ok }).toEqual({ code: 0, ok: true });
    expect(problems.map((problem) => `${problem.line} ${problem.code}`).sort()).toEqual(
      [
        '2 ANY_OF_WEAKENS',
        '2 AUTHORITY_TRAILING_SLASH',
        '2 DEBUG_NOT_REFUSED',
        '2 MEASUREMENT_NOT_REQUIRED',
        '3 MEASUREMENT_NOT_HEX',
        '4 CLAIM_UNKNOWN',
      ].sort(),
    );
    expect((await command(['policy', 'lint', '-', '--strict', '--json'], text)).code).toBe(1);
  });

  it('a breach of the grammar fails', async () => {
    const { code, out } = await command(['policy', 'lint', '-'], '{"version":"1.0.0","anyOf":[]}');
    expect(code).toBe(1);
    expect(out).toContain('LIST_EMPTY');
  });

  it.each([
    [
      'as the REST API shows a key',
      { release_policy: { data: Buffer.from(JSON.stringify(POLICY)).toString('base64url') } },
    ],
    ['as az shows it', { releasePolicy: { encodedPolicy: JSON.stringify(POLICY) } }],
    [
      'the inner object',
      { contentType: 'application/json', data: Buffer.from(JSON.stringify(POLICY)).toString('base64url') },
    ],
  ])('reads a policy %s', async (_, wrapped) => {
    const { code, out } = await command(['policy', 'lint', '-'], JSON.stringify(wrapped));
    expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining('no problems') });
  });
});

describe('siegel policy eval', () => {
  const evaluate = (claims: object, ...more: string[]) =>
    command([
      'policy',
      'eval',
      write('policy.json', POLICY),
      '--claims',
      write('claims.json', claims),
      ...more,
    ]);

  it('shows each condition, met or not, with what was expected and what is there', async () => {
    const met = await evaluate(CLAIMS);
    expect(met.code).toBe(0);
    expect(met.out).toContain('✓ x-ms-sgx-svn greaterOrEquals 3, is 4');
    expect(met.err).toContain('signature of the token was not checked');
    const old = await evaluate({ ...CLAIMS, 'x-ms-sgx-svn': 2, 'x-ms-sgx-is-debuggable': undefined });
    expect(old.code).toBe(1);
    expect(old.out).toContain('✗ x-ms-sgx-svn greaterOrEquals 3, is 2');
    expect(old.out).toContain('✗ x-ms-sgx-is-debuggable equals false (the token does not have it)');
    const foreign = await evaluate({ ...CLAIMS, iss: 'https://other.attest.example' });
    expect(foreign.out).toContain(`✗ authority ${ISSUER}, the token is of https://other.attest.example`);
  });

  it('prints the trace for programs', async () => {
    const { out } = await evaluate(CLAIMS, '--json');
    expect(JSON.parse(out)).toMatchObject({
      released: true,
      authority: ISSUER,
      verified: false,
      trace: { kind: 'policy', ok: true },
    });
  });

  it('verifies a token with the keys of its issuer, as of a time', async () => {
    const issuedAt = Date.parse('2026-05-01T10:00:00Z') / 1_000;
    const token = await new SignJWT({ ...CLAIMS, iat: issuedAt, exp: issuedAt + 600 })
      .setProtectedHeader({ alg: 'RS256', kid: 'k', typ: 'JWT' })
      .sign(signer.privateKey);
    const jwks = write('jwks.json', { keys: [{ ...signer.publicKey.export({ format: 'jwk' }), kid: 'k' }] });
    const args = [
      'policy',
      'eval',
      write('policy.json', POLICY),
      '--token',
      write('token.jwt', token),
      '--jwks',
      jwks,
      '--json',
    ];
    const good = await command([...args, '--at', '2026-05-01T10:05:00Z']);
    expect(JSON.parse(good.out)).toMatchObject({ released: true, verified: true });
    const late = await command([...args, '--at', '2026-05-01T11:00:00Z']);
    expect(late.code).toBe(1);
    expect(JSON.parse(late.out)).toMatchObject({ error: { code: 'JWT_EXPIRED' } });
    const [head, body] = token.split('.');
    const unsigned = [
      'policy',
      'eval',
      write('policy.json', POLICY),
      '--token',
      write('none.jwt', `${head}.${body}.`),
      '--jwks',
      jwks,
      '--json',
    ];
    expect((await command([...unsigned, '--at', '2026-05-01T10:05:00Z'])).code).not.toBe(0);
  });

  it.each([
    [['policy', 'eval', 'x.json'], 'USAGE'],
    [['policy', 'lint', '/nowhere/policy.json'], 'FILE_NOT_FOUND'],
  ])('%j is answered with %s', async (args, code) => {
    const path = write('policy.json', POLICY);
    const { out, code: exit } = await command([
      ...args.map((arg) => (arg === 'x.json' ? path : arg)),
      '--json',
    ]);
    expect(exit).toBe(2);
    expect(JSON.parse(out)).toMatchObject({ error: { code } });
  });
});

describe('siegel policy import, siegel manifest import akv-policy', () => {
  it.each([[['policy', 'import']], [['manifest', 'import', 'akv-policy']]])('%j', async (words) => {
    const { code, out } = await command([
      ...words,
      write('policy.json', POLICY),
      '--workload',
      'app',
      '--json',
    ]);
    const { manifest, report } = JSON.parse(out) as { manifest: unknown; report: { result: string }[] };
    expect(code).toBe(0);
    expect(manifest).toEqual({
      siegel: 'v1',
      workloads: { app: { identity: { mrenclave: [E], isvsvn: 3 } } },
    });
    expect(report.every(({ result }) => result === 'mapped')).toBe(true);
  });

  it('fails until each loss is accepted by name', async () => {
    const [authority] = POLICY.anyOf as [(typeof POLICY.anyOf)[number]];
    const narrower = {
      ...POLICY,
      anyOf: [{ ...authority, allOf: [...authority.allOf, { claim: 'x-ms-sgx-report-data', equals: '00' }] }],
    };
    const args = ['policy', 'import', write('narrower.json', narrower)];
    const refused = await command([...args, '--json']);
    expect(refused.code).toBe(1);
    const lost = (JSON.parse(refused.out) as { report: { path: string; result: string }[] }).report.filter(
      ({ result }) => result !== 'mapped',
    );
    expect(lost).toMatchObject([{ path: 'anyOf[0].allOf[3]', result: 'unsupported' }]);
    expect((await command([...args, '--accept', 'anyOf[0].allOf[2]'])).code).toBe(1);
    expect((await command([...args, '--accept', 'anyOf[0].allOf[3]'])).code).toBe(0);
  });

  it('a policy that any enclave satisfies becomes no workload', async () => {
    const open = {
      version: '1.0.0',
      anyOf: [{ authority: ISSUER, allOf: [{ claim: 'x-ms-ver', equals: '1.0' }] }],
    };
    const { code, out } = await command(['policy', 'import', write('open.json', open), '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ manifest: { workloads: {} } });
  });
});
