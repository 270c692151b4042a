import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  DOCUMENT_LIMITS,
  lintManifest,
  manifestDigest,
  manifestJsonSchema,
  parseManifest,
} from '../index.js';
import type { Manifest } from '../index.js';

const E = 'ab'.repeat(32);
const DESIGN = `siegel: v1
workloads:
  payments:
    identity: { mrenclave: [${E}], }
    tcb: { accept: [UpToDate, SWHardeningNeeded], advisories: { allow: [INTEL-SA-00615] } }
    certificate: { dns: [payments.shop.svc], ttl: 24h }
    secrets:
      - { vault: prod, objectName: db-password, objectType: secret, objectAlias: DB_PASSWORD, as: env }
      - { vault: prod, objectName: tls-edge, objectType: cert, as: file, path: /run/secrets/tls.pem }
`;

function parsed(text: string): { manifest: Manifest; digest: string } {
  const result = parseManifest(text);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result;
}

describe('parseManifest', () => {
  it('reads the manifest of the design without any finding', () => {
    expect(parseManifest(DESIGN)).toMatchObject({ ok: true, warnings: [] });
  });

  it('gives YAML and JSON of the same content the same digest: SHA-256 of the canonical JSON', () => {
    const { manifest, digest } = parsed(DESIGN);
    expect(parsed(JSON.stringify(manifest)).digest).toBe(digest);
    expect(parsed(JSON.stringify(manifest, null, '\t')).digest).toBe(digest);
    const small = { workloads: {}, siegel: 'v1' };
    const canonical = '{"siegel":"v1","workloads":{}}';
    expect(parsed(JSON.stringify(small)).digest).toBe(createHash('sha256').update(canonical).digest('hex'));
    expect(manifestDigest(parsed('workloads: {}\nsiegel: v1\n').manifest)).toBe(
      parsed(JSON.stringify(small)).digest,
    );
  });

  it('adds no defaults, so that what is stored is what was written', () => {
    expect(parsed(DESIGN).manifest.workloads['payments']).not.toHaveProperty('debug');
    expect(Object.keys(parsed('siegel: v1\nworkloads: {}\n').manifest)).toEqual(['siegel', 'workloads']);
  });

  it('takes unquoted numbers for the text that they were written as', () => {
    const text = `siegel: v1\nworkloads:\n  w:\n    identity: { mrenclave: [${'12'.repeat(32)}, ${'1'.repeat(20)}e${'1'.repeat(43)}] }\n    env: { PORT: 8080, RATE: 1.50 }\n    secrets:\n      - { vault: v, objectName: 42, objectType: secret, objectVersion: ${'1'.repeat(32)}, as: file, path: /a, mode: 0440 }\n`;
    const { manifest } = parsed(text);
    const workload = manifest.workloads['w']!;
    expect(workload.env).toEqual({ PORT: '8080', RATE: '1.50' });
    expect(workload.identity).toEqual({
      mrenclave: ['12'.repeat(32), `${'1'.repeat(20)}e${'1'.repeat(43)}`],
    });
    expect(workload.secrets).toMatchObject([
      { objectName: '42', objectVersion: '1'.repeat(32), mode: '0440' },
    ]);
  });

  it('resolves aliases, each copy counted', () => {
    const text = `siegel: v1\nworkloads:\n  a:\n    identity: { mrenclave: [${E}] }\n    secrets: &s\n      - { vault: v, objectName: A, objectType: secret, as: env }\n  b:\n    identity: { mrenclave: [${'cd'.repeat(32)}] }\n    secrets: *s\n`;
    expect(parsed(text).manifest.workloads['b']?.secrets).toHaveLength(1);
  });

  it('ends alias bombs and oversized documents quickly', () => {
    let bomb = 'a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n';
    for (let i = 1; i < 20; i++)
      bomb += `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(', ')}]\n`;
    const started = performance.now();
    expect(parseManifest(bomb)).toMatchObject({ ok: false, problems: [{ code: 'DOCUMENT_TOO_COMPLEX' }] });
    expect(performance.now() - started).toBeLessThan(1000);
  });

  it.each([
    ['many keys', Array.from({ length: 30_000 }, (_, i) => `k${i}:`).join('\n')],
    ['many duplicate keys', 'k:\n'.repeat(80_000)],
    ['many anchors', Array.from({ length: 20_000 }, (_, i) => `- &a${i} x`).join('\n')],
    ['many aliases', `- &a x\n${'- *a\n'.repeat(50_000)}`],
    ['deep flow', '['.repeat(100_000)],
    ['deep block', '- '.repeat(100_000)],
    ['deep keys', Array.from({ length: 700 }, (_, i) => `${' '.repeat(i)}a:`).join('\n')],
    ['many errors', '}\n'.repeat(100_000)],
    ['many quotes', '"'.repeat(200_000)],
    [
      'many unknown keys in many workloads',
      `siegel: v1\nworkloads:\n${Array.from({ length: 4000 }, (_, i) => ` w${i}: {workload: 1, secretss: 2}`).join('\n')}`,
    ],
    ['many comments', '#\n'.repeat(130_000)],
    ['many tags', '- !x y\n'.repeat(30_000)],
    ['many documents', '---\n'.repeat(60_000)],
    ['long folded scalar', `a: >\n${' x\n'.repeat(80_000)}`],
    ['many tabs', '\t'.repeat(250_000)],
  ])('answers on %s within two seconds of processor time, with a bounded list', (_name, text) => {
    const started = process.cpuUsage();
    const { ok, problems } = lintManifest(text);
    expect(ok).toBe(false);
    expect(problems.length).toBeLessThanOrEqual(DOCUMENT_LIMITS.problems + 1);
    // Processor time: on a busy machine the clock says nothing.
    const { user, system } = process.cpuUsage(started);
    expect((user + system) / 1000).toBeLessThan(2000);
  });

  it('lists errors before warnings when there is not room for all', () => {
    const secrets = Array.from(
      { length: 150 },
      (_, i) => `        - { vault: v, objectName: A${i}, objectType: secret, as: env, allowExpired: true }`,
    );
    const text = `siegel: v1\nworkloads:\n  w:\n    identity: { mrenclave: [${E}] }\n    secrets:\n${secrets.join('\n')}\n    certificate: { ttl: 1m }\n`;
    const { problems } = lintManifest(text);
    expect(problems).toHaveLength(101);
    expect(problems.some((problem) => problem.code === 'TTL_OUT_OF_RANGE')).toBe(true);
    expect(problems.at(-1)).toMatchObject({
      code: 'TOO_MANY_PROBLEMS',
      message: 'at least 51 more problems are not listed',
    });
  });

  it('knows the deployment’s vaults if told', () => {
    expect(parseManifest(DESIGN, { knownVaults: ['prod'] }).ok).toBe(true);
    const result = lintManifest(DESIGN, { knownVaults: ['dev', 'production'] });
    expect(result.problems.map(({ code, line }) => [code, line])).toEqual([
      ['VAULT_UNKNOWN', 8],
      ['VAULT_UNKNOWN', 9],
    ]);
  });

  it('counts lines and columns behind a byte order mark, CRLF and wide characters', () => {
    const text = `\uFEFFsiegel: v1\r\nworkloads: { "ключ": {}, 1: 2 }\r\n`;
    expect(lintManifest(text).problems).toMatchObject([
      { code: 'NAME_INVALID', line: 2, column: 14 },
      { code: 'WRONG_TYPE', line: 2, column: 29 },
    ]);
  });

  it('reports all mistakes of a document at once, in their order', () => {
    const text = DESIGN.replace('dns:', 'dsn:')
      .replace('objectType: cert', 'objectType: certificate')
      .replace('[UpToDate', '[Uptodate');
    const { problems } = lintManifest(text);
    expect(problems.map(({ code, path, line, suggestion }) => ({ code, path, line, suggestion }))).toEqual([
      {
        code: 'VALUE_NOT_ALLOWED',
        path: 'workloads.payments.tcb.accept[0]',
        line: 5,
        suggestion: 'UpToDate',
      },
      { code: 'UNKNOWN_KEY', path: 'workloads.payments.certificate.dsn', line: 6, suggestion: 'dns' },
      {
        code: 'VALUE_NOT_ALLOWED',
        path: 'workloads.payments.secrets[1].objectType',
        line: 9,
        suggestion: 'cert',
      },
    ]);
  });

  it('never throws, and says where, on any text', () => {
    const words = fc.constantFrom(
      'siegel',
      'v1',
      'workloads',
      'identity',
      ':',
      ': ',
      '\n',
      '  ',
      '- ',
      '{',
      '}',
      '[',
      ']',
      ',',
      '"',
      "'",
      '&a',
      '*a',
      '!t',
      '|',
      '>',
      '#',
      '0x1',
      '1e9',
      '~',
      '<<',
      E,
      '%YAML 1.1\n---\n',
      '\t',
      '? ',
      '\u0000',
      '\ud800',
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(words, { maxLength: 40 }).map((parts) => parts.join('')),
      fc.json(),
    );
    fc.assert(
      fc.property(text, (input) => {
        const { ok, problems } = lintManifest(input);
        expect(ok).toBe(false);
        const lines = input.split('\n').length;
        for (const problem of problems) {
          expect(problem.line).toBeGreaterThanOrEqual(1);
          expect(problem.line).toBeLessThanOrEqual(lines);
          expect(problem.column).toBeGreaterThanOrEqual(1);
          expect(problem.code).toMatch(/^[A-Z][A-Z0-9_]+$/);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('never throws on a mutated manifest, and what it accepts it accepts again as JSON', () => {
    const cut = fc.tuple(fc.nat(DESIGN.length), fc.nat(12), fc.string({ maxLength: 6 }));
    fc.assert(
      fc.property(fc.array(cut, { minLength: 1, maxLength: 3 }), (cuts) => {
        let text = DESIGN;
        for (const [at, drop, insert] of cuts) text = text.slice(0, at) + insert + text.slice(at + drop);
        const result = parseManifest(text);
        if (!result.ok) expect(result.problems.some((problem) => problem.severity === 'error')).toBe(true);
        else expect(parsed(JSON.stringify(result.manifest)).digest).toBe(result.digest);
      }),
      { numRuns: 1500 },
    );
  });

  it('points at the token of an unknown key wherever it stands', () => {
    const lines = DESIGN.split('\n');
    const keys = lines.flatMap((line, row) =>
      [...line.matchAll(/[A-Za-z]+(?=: )/g)].map((match) => ({ row, column: match.index, key: match[0] })),
    );
    for (const { row, column, key } of keys) {
      if (key === 'payments') continue;
      const text = lines
        .with(row, `${lines[row]!.slice(0, column)}zzqq${lines[row]!.slice(column + key.length)}`)
        .join('\n');
      const found = lintManifest(text).problems.find((problem) => problem.code === 'UNKNOWN_KEY');
      expect({ key, found }).toMatchObject({ key, found: { line: row + 1, column: column + 1 } });
    }
    expect(keys.length).toBeGreaterThan(15);
  });
});

describe('manifestJsonSchema', () => {
  it('is closed, carries the patterns and describes the fields', () => {
    const text = JSON.stringify(manifestJsonSchema());
    const schema = JSON.parse(text) as Record<string, never>;
    expect(schema).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      required: ['siegel', 'workloads'],
      additionalProperties: false,
    });
    expect(text).toContain('^[0-9a-f]{64}$');
    expect(text).toContain('"required":["mrtd"]');
    // Every mapping is closed or has named values.
    const visit = (node: unknown): void => {
      if (typeof node !== 'object' || node === null) return;
      const { type, additionalProperties } = node as Record<string, unknown>;
      if (type === 'object') expect(additionalProperties).toBeDefined();
      Object.values(node).forEach(visit);
    };
    visit(schema);
  });
});
