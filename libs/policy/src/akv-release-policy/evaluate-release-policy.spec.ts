import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { evaluateReleasePolicy, parseReleasePolicy, RELEASE_POLICY_OPERATORS } from '../index.js';
import type { Operator, ReleaseCondition, ReleasePolicy, ReleaseTrace } from '../index.js';

const MAA = 'https://shareduks.uks.attest.azure.net';
const E = 'ab'.repeat(32);
const S = 'cd'.repeat(32);

const CLAIMS = {
  iss: MAA,
  'x-ms-sgx-is-debuggable': false,
  'x-ms-sgx-mrenclave': E,
  'x-ms-sgx-mrsigner': S,
  'x-ms-sgx-product-id': 7,
  'x-ms-sgx-svn': 3,
  'x-ms-runtime': { client: { role: 'billing', level: '12' }, keys: [{ kid: 'a' }] },
};
const policyOf = (condition: object, kind = 'allOf', authority = MAA) =>
  JSON.stringify({ version: '1.0.0', anyOf: [{ authority, [kind]: [condition] }] });
function parse(text: string): ReleasePolicy {
  const result = parseReleasePolicy(text);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.policy;
}
const released = (condition: object, claims: Record<string, unknown> = CLAIMS) =>
  evaluateReleasePolicy(parse(policyOf(condition)), { issuer: MAA, claims }).released;

describe('evaluateReleasePolicy', () => {
  const rows: [Operator, string | number | boolean, string, boolean][] = [
    ['equals', E, 'x-ms-sgx-mrenclave', true],
    ['equals', E.toUpperCase(), 'x-ms-sgx-mrenclave', false],
    // Genuine policies write truth values and numbers as text, and the reverse.
    ['equals', 'false', 'x-ms-sgx-is-debuggable', true],
    ['equals', false, 'x-ms-sgx-is-debuggable', true],
    ['equals', 'False', 'x-ms-sgx-is-debuggable', false],
    ['equals', '7', 'x-ms-sgx-product-id', true],
    ['equals', 7, 'x-ms-sgx-product-id', true],
    ['equals', '07', 'x-ms-sgx-product-id', false],
    ['equals', 12, 'x-ms-runtime.client.level', true],
    ['notEquals', 'true', 'x-ms-sgx-is-debuggable', true],
    ['notEquals', 'false', 'x-ms-sgx-is-debuggable', false],
    ['notEquals', 'x', 'x-ms-missing', false],
    ['notEquals', 'x', 'x-ms-runtime.keys', false],
    ['less', 4, 'x-ms-sgx-svn', true],
    ['less', 3, 'x-ms-sgx-svn', false],
    ['lessOrEquals', '3', 'x-ms-sgx-svn', true],
    ['lessOrEquals', 2, 'x-ms-sgx-svn', false],
    ['greater', 2, 'x-ms-sgx-svn', true],
    ['greater', 3, 'x-ms-sgx-svn', false],
    ['greaterOrEquals', '3', 'x-ms-sgx-svn', true],
    ['greaterOrEquals', 4, 'x-ms-sgx-svn', false],
    // Whole numbers only: as text "12" would be less than "9".
    ['greater', 9, 'x-ms-runtime.client.level', true],
    ['greaterOrEquals', 'billing', 'x-ms-runtime.client.role', false],
    ['greaterOrEquals', 1.5, 'x-ms-sgx-svn', false],
    ['less', 1, 'x-ms-missing', false],
    ['exists', 'true', 'x-ms-sgx-svn', true],
    ['exists', true, 'x-ms-runtime.keys', true],
    ['exists', 'false', 'x-ms-sgx-svn', false],
    ['exists', false, 'x-ms-missing', true],
    ['equals', 'billing', 'x-ms-runtime.client.role', true],
    ['equals', 'a', 'x-ms-runtime.keys.0.kid', false],
    ['exists', true, 'x-ms-runtime.toString', false],
    ['exists', true, 'x-ms-sgx-mrenclave.length', false],
  ];
  it.each(rows)('%s %p on %s is %p', (operator, value, claim, expected) => {
    expect(released({ claim, [operator]: value })).toBe(expected);
  });

  it('covers every operator of the grammar', () => {
    expect(new Set(rows.map(([operator]) => operator))).toEqual(new Set(RELEASE_POLICY_OPERATORS));
  });

  it('takes numbers that JSON cannot hold exactly for equal to nothing', () => {
    expect(released({ claim: 'big', equals: '9007199254740992' }, { big: 2 ** 53 })).toBe(false);
    expect(released({ claim: 'n', equals: '1.5' }, { n: 1.5 })).toBe(false);
    expect(released({ claim: 'n', exists: true }, { n: null })).toBe(false);
  });

  it('takes only the named issuer, byte for byte', () => {
    const policy = parse(policyOf({ claim: 'x-ms-sgx-svn', equals: 3 }));
    for (const issuer of [`${MAA}/`, MAA.toUpperCase(), 'https://evil.example', '']) {
      const { released: yes, trace } = evaluateReleasePolicy(policy, { issuer, claims: CLAIMS });
      expect(yes).toBe(false);
      expect(trace).toMatchObject({
        children: [{ kind: 'authority', reason: 'ISSUER_DIFFERS', ok: false, children: [{ ok: true }] }],
      });
    }
  });

  it('explains every condition, with its place in the policy', () => {
    const text = JSON.stringify({
      version: '0.2',
      anyOf: [
        { authority: 'https://other', anyOf: [{ claim: 'x-ms-sgx-svn', greaterOrEquals: 1 }] },
        {
          authority: MAA,
          allOf: [
            { claim: 'x-ms-sgx-mrenclave', equals: S },
            {
              anyOf: [
                { claim: 'x-ms-sgx-svn', greater: 5 },
                { claim: 'x-ms-sgx-product-id', equals: '7' },
              ],
            },
          ],
        },
      ],
    });
    expect(evaluateReleasePolicy(parse(text), { issuer: MAA, claims: CLAIMS })).toEqual({
      released: false,
      trace: {
        kind: 'policy',
        path: '',
        ok: false,
        children: [
          {
            kind: 'authority',
            path: 'anyOf[0]',
            ok: false,
            authority: 'https://other',
            issuer: MAA,
            reason: 'ISSUER_DIFFERS',
            children: [
              {
                kind: 'anyOf',
                path: 'anyOf[0].anyOf',
                ok: true,
                children: [
                  {
                    kind: 'claim',
                    path: 'anyOf[0].anyOf[0]',
                    ok: true,
                    claim: 'x-ms-sgx-svn',
                    operator: 'greaterOrEquals',
                    expected: 1,
                    actual: 3,
                  },
                ],
              },
            ],
          },
          {
            kind: 'authority',
            path: 'anyOf[1]',
            ok: false,
            authority: MAA,
            issuer: MAA,
            children: [
              {
                kind: 'allOf',
                path: 'anyOf[1].allOf',
                ok: false,
                children: [
                  {
                    kind: 'claim',
                    path: 'anyOf[1].allOf[0]',
                    ok: false,
                    claim: 'x-ms-sgx-mrenclave',
                    operator: 'equals',
                    expected: S,
                    actual: E,
                    reason: 'VALUE_DIFFERS',
                  },
                  {
                    kind: 'anyOf',
                    path: 'anyOf[1].allOf[1].anyOf',
                    ok: true,
                    children: [
                      {
                        kind: 'claim',
                        path: 'anyOf[1].allOf[1].anyOf[0]',
                        ok: false,
                        claim: 'x-ms-sgx-svn',
                        operator: 'greater',
                        expected: 5,
                        actual: 3,
                        reason: 'VALUE_DIFFERS',
                      },
                      {
                        kind: 'claim',
                        path: 'anyOf[1].allOf[1].anyOf[1]',
                        ok: true,
                        claim: 'x-ms-sgx-product-id',
                        operator: 'equals',
                        expected: '7',
                        actual: 7,
                      },
                    ],
                  },
                ],
              },
            ],
          },
        ],
      },
    });
  });

  const condition = fc.letrec<{ any: ReleaseCondition }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 4 },
      fc.record({
        kind: fc.constant('claim' as const),
        claim: fc.constantFrom('a', 'b.c', 'd', '__proto__', 'x.y.z'),
        operator: fc.constantFrom(...RELEASE_POLICY_OPERATORS.filter((op) => op !== 'exists')),
        value: fc.oneof(fc.constantFrom('1', 'true', 'x'), fc.integer(), fc.boolean(), fc.double()),
      }),
      fc.record({
        kind: fc.constantFrom('allOf' as const, 'anyOf' as const),
        conditions: fc.array(tie('any'), { minLength: 1, maxLength: 3 }),
      }),
    ),
  })).any;
  const claimsOf = fc.record(
    {
      a: fc.oneof(fc.constant('1'), fc.integer(), fc.boolean()),
      b: fc.record({ c: fc.anything() }),
      d: fc.anything(),
    },
    { requiredKeys: [] },
  );

  it('releases nothing to a token without claims, whatever is compared', () => {
    fc.assert(
      fc.property(condition, (inner) => {
        const policy: ReleasePolicy = {
          version: '1.0.0',
          anyOf: [{ authority: MAA, rule: { kind: 'anyOf', conditions: [inner] } }],
        };
        expect(evaluateReleasePolicy(policy, { issuer: MAA, claims: {} }).released).toBe(false);
      }),
    );
  });

  it('never throws, and its trace adds up', () => {
    const sound = (node: ReleaseTrace): boolean => {
      if (node.kind === 'claim') return node.ok === (node.reason === undefined);
      if (!node.children.every(sound)) return false;
      const all = node.children.every((child) => child.ok);
      const any = node.children.some((child) => child.ok);
      if (node.kind === 'authority') return node.ok === (all && node.authority === node.issuer);
      return node.ok === (node.kind === 'allOf' ? all : any);
    };
    fc.assert(
      fc.property(condition, claimsOf, fc.constantFrom(MAA, 'https://other'), (inner, claims, issuer) => {
        const policy: ReleasePolicy = {
          version: '1.0.0',
          anyOf: [{ authority: MAA, rule: { kind: 'allOf', conditions: [inner] } }],
        };
        const decision = evaluateReleasePolicy(policy, { issuer, claims });
        expect(sound(decision.trace)).toBe(true);
        expect(decision.trace.ok).toBe(decision.released);
      }),
      { numRuns: 1000 },
    );
  });
});
