import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { lintReleasePolicy } from '../index.js';

const MAA = 'https://shareduks.uks.attest.azure.net';
const E = 'ab'.repeat(32);
const S = 'cd'.repeat(32);
const policyOf = (condition: object) =>
  JSON.stringify({ version: '1.0.0', anyOf: [{ authority: MAA, allOf: [condition] }] });

describe('parseReleasePolicy', () => {
  const bad: [string, string, string][] = [
    ['SYNTAX_ERROR', '', '{"version":'],
    ['WRONG_TYPE', '', '[]'],
    ['UNKNOWN_KEY', 'allOf', '{"version":"1.0.0","allOf":[]}'],
    ['KEY_MISSING', '', '{"version":"1.0.0"}'],
    ['KEY_MISSING', '', '{"anyOf":[{"authority":"https://a","allOf":[{"claim":"a","equals":1}]}]}'],
    [
      'VERSION_UNSUPPORTED',
      'version',
      '{"version":"2.0.0","anyOf":[{"authority":"https://a","allOf":[{"claim":"a","equals":1}]}]}',
    ],
    ['LIST_EMPTY', 'anyOf', '{"version":"1.0.0","anyOf":[]}'],
    ['LIST_EMPTY', 'anyOf[0].allOf', '{"version":"1.0.0","anyOf":[{"authority":"https://a","allOf":[]}]}'],
    [
      'AUTHORITY_MISSING',
      'anyOf[0].authority',
      '{"version":"1.0.0","anyOf":[{"allOf":[{"claim":"a","equals":1}]}]}',
    ],
    ['GROUP_INVALID', 'anyOf[0]', '{"version":"1.0.0","anyOf":[{"authority":"https://a"}]}'],
    [
      'GROUP_INVALID',
      'anyOf[0]',
      '{"version":"1.0.0","anyOf":[{"authority":"https://a","allOf":[{"claim":"a","equals":1}],"anyOf":[{"claim":"a","equals":1}]}]}',
    ],
    ['OPERATOR_INVALID', 'anyOf[0].allOf[0]', policyOf({ claim: 'a' })],
    ['OPERATOR_INVALID', 'anyOf[0].allOf[0]', policyOf({ claim: 'a', equals: 1, less: 2 })],
    ['OPERATOR_INVALID', 'anyOf[0].allOf[0]', policyOf({ claim: 'a', allOf: [] })],
    ['KEY_MISSING', 'anyOf[0].allOf[0]', policyOf({ equals: 'a' })],
    ['UNKNOWN_KEY', 'anyOf[0].allOf[0].eqauls', policyOf({ claim: 'a', eqauls: 1 })],
    ['CLAIM_INVALID', 'anyOf[0].allOf[0].claim', policyOf({ claim: 'a..b', equals: 1 })],
    ['CLAIM_INVALID', 'anyOf[0].allOf[0].claim', policyOf({ claim: '', equals: 1 })],
    ['VALUE_INVALID', 'anyOf[0].allOf[0].equals', policyOf({ claim: 'a', equals: ['x'] })],
    ['VALUE_INVALID', 'anyOf[0].allOf[0].equals', policyOf({ claim: 'a', equals: null })],
    ['VALUE_INVALID', 'anyOf[0].allOf[0].exists', policyOf({ claim: 'a', exists: 'yes' })],
    ['TEXT_TOO_LONG', 'anyOf[0].allOf[0].equals', policyOf({ claim: 'a', equals: 'x'.repeat(4097) })],
    [
      'POLICY_TOO_COMPLEX',
      'anyOf[0].allOf[0].allOf[999]',
      policyOf({ allOf: Array(1000).fill({ claim: 'a', equals: 1 }) }),
    ],
    ['DUPLICATE_KEY', 'version', '{"version":"1.0.0","version":"1.0.0","anyOf":[]}'],
  ];
  it.each(bad)('refuses with %s at %p', (code, path, text) => {
    const { ok, problems } = lintReleasePolicy(text);
    expect(ok).toBe(false);
    expect(problems).toContainEqual(expect.objectContaining({ code, path, severity: 'error' }));
  });

  it('refuses deep nesting', () => {
    let condition: object = { claim: 'a', equals: 1 };
    for (let i = 0; i < 20; i++) condition = { allOf: [condition] };
    expect(lintReleasePolicy(policyOf(condition)).problems).toContainEqual(
      expect.objectContaining({ code: 'NESTING_TOO_DEEP' }),
    );
  });

  it('never throws', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.json().map((json) => policyOf(JSON.parse(`{"x":${json}}`) as object)),
        ),
        (text) => {
          expect(lintReleasePolicy(text).ok).toBe(false);
        },
      ),
    );
  });
});

describe('lintReleasePolicy', () => {
  const full: object[] = [
    { claim: 'x-ms-sgx-mrsigner', equals: S },
    { claim: 'x-ms-sgx-product-id', equals: '7' },
    { claim: 'x-ms-sgx-svn', greaterOrEquals: 3 },
    { claim: 'x-ms-sgx-is-debuggable', equals: 'false' },
  ];
  const lint = (conditions: object[], kind = 'allOf', authority = MAA) =>
    lintReleasePolicy(
      JSON.stringify({ version: '1.0.0', anyOf: [{ authority, [kind]: conditions }] }, null, 1),
    );
  const codes = (...args: Parameters<typeof lint>) => lint(...args).problems.map(({ code }) => code);

  it('finds nothing in a complete policy', () => {
    expect(lint(full)).toEqual({ ok: true, problems: [] });
    expect(codes([{ claim: 'x-ms-sgx-mrenclave', equals: E }, full[3]!])).toEqual([]);
  });

  it.each([
    ['AUTHORITY_NOT_HTTPS', full, 'allOf', 'http://maa.example'],
    ['AUTHORITY_NOT_HTTPS', full, 'allOf', 'maa.example'],
    ['AUTHORITY_TRAILING_SLASH', full, 'allOf', `${MAA}/`],
    ['DEBUG_NOT_REFUSED', full.slice(0, 3), 'allOf', MAA],
    ['DEBUG_NOT_REFUSED', [...full.slice(0, 3), { anyOf: [full[3], full[2]] }], 'allOf', MAA],
    ['SIGNER_WITHOUT_PRODUCT', full.toSpliced(1, 1), 'allOf', MAA],
    ['SIGNER_WITHOUT_SVN_FLOOR', full.toSpliced(2, 1), 'allOf', MAA],
    ['MEASUREMENT_NOT_REQUIRED', full.slice(1), 'allOf', MAA],
    [
      'SIGNER_PUBLIC',
      full.with(0, {
        claim: 'x-ms-sgx-mrsigner',
        equals: '83d719e77deaca1470f6baf62a4d774303c899db69020f9c70ee1dfc08c7ce9e',
      }),
      'allOf',
      MAA,
    ],
    [
      'MEASUREMENT_NOT_HEX',
      full.with(0, { claim: 'x-ms-sgx-mrsigner', equals: S.toUpperCase() }),
      'allOf',
      MAA,
    ],
    [
      'MEASUREMENT_NOT_HEX',
      full.with(0, { claim: 'x-ms-sgx-mrsigner', equals: 'your-signer' }),
      'allOf',
      MAA,
    ],
    ['CLAIM_UNKNOWN', [...full, { claim: 'x-ms-sgx-mrencalve', equals: 'x' }], 'allOf', MAA],
    [
      'CLAIM_UNKNOWN',
      [...full, { claim: 'x-ms-isolation-tee.x-ms-complaince-status', equals: 'x' }],
      'allOf',
      MAA,
    ],
    ['NUMBER_EXPECTED', full.with(2, { claim: 'x-ms-sgx-svn', greaterOrEquals: 'three' }), 'allOf', MAA],
    ['NOT_EQUALS_IS_OPEN', [...full, { claim: 'tee', notEquals: 'tdx' }], 'allOf', MAA],
    ['ALL_OF_CONTRADICTION', [...full, { claim: 'x-ms-sgx-mrsigner', equals: E }], 'allOf', MAA],
  ])('%s', (code, conditions, kind, authority) => {
    const { ok, problems } = lint(conditions as object[], kind, authority);
    expect(ok).toBe(true);
    expect(problems.map((problem) => problem.code)).toEqual([code]);
  });

  it('finds what an anyOf for an allOf opens', () => {
    expect(codes(full, 'anyOf')).toEqual(['ANY_OF_WEAKENS', 'DEBUG_NOT_REFUSED', 'MEASUREMENT_NOT_REQUIRED']);
  });

  it('finds a second entry of one authority, and old versions', () => {
    const text = JSON.stringify({
      version: '0.2',
      anyOf: [
        { authority: MAA, allOf: full },
        { authority: MAA, allOf: full },
      ],
    });
    expect(
      lintReleasePolicy(text).problems.map(({ code, line, column }): unknown[] => [code, line, column]),
    ).toEqual([
      ['POLICY_VERSION_OLD', 1, 12],
      ['AUTHORITY_TWICE', 1, text.lastIndexOf('"https://') + 1],
    ]);
  });

  it('says nothing about enclaves in a policy for confidential VMs, and corrects names', () => {
    expect(
      codes([
        { claim: 'x-ms-isolation-tee.x-ms-compliance-status', equals: 'azure-compliant-cvm' },
        { claim: 'x-ms-runtime.client.any', equals: 1 },
      ]),
    ).toEqual([]);
    expect(lint([...full, { claim: 'x-ms-sgx-mrencalve', equals: 'x' }]).problems[0]).toMatchObject({
      suggestion: 'x-ms-sgx-mrenclave',
      line: 24,
    });
  });
});
