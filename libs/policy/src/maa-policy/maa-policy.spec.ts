import { describe, expect, it } from '@jest/globals';
import { hash } from 'node:crypto';
import { evaluateMaaPolicy } from './evaluate-maa-policy.js';
import { parseMaaPolicy } from './parse-maa-policy.js';
import { maaPolicyHash } from './policy-hash.js';
import { MaaPolicyError, type MaaClaim } from './syntax.js';

const CLAIMS: MaaClaim[] = [
  { type: 'x-ms-sgx-is-debuggable', value: false, issuer: 'AttestationService' },
  { type: 'x-ms-sgx-svn', value: 4, issuer: 'AttestationService' },
  { type: 'x-ms-sgx-mrsigner', value: 'ab'.repeat(32), issuer: 'AttestationService' },
  { type: 'colour', value: 'red', issuer: 'CustomClaim' },
  { type: 'colour', value: 'blue', issuer: 'CustomClaim' },
];
const decide = (authorization: string, issuance = '', version = '1.0') =>
  evaluateMaaPolicy(
    parseMaaPolicy(
      `version= ${version};\nauthorizationrules {\n${authorization}\n};\nissuancerules {\n${issuance}\n};`,
    ),
    CLAIMS,
  );
const refusal = (text: string): MaaPolicyError => {
  try {
    parseMaaPolicy(text);
  } catch (error) {
    if (error instanceof MaaPolicyError) return error;
    throw error;
  }
  throw new Error('it was accepted');
};

describe('authorization rules', () => {
  it.each([
    ['=> permit();', true],
    ['', false],
    ['=> deny();', false],
    ['[type=="x-ms-sgx-is-debuggable", value==true] => deny(); => permit();', true],
    ['[type=="x-ms-sgx-is-debuggable", value==false] => deny(); => permit();', false],
    // In order: what was permitted is not denied any more.
    ['=> permit(); => deny();', true],
    ['[type=="x-ms-sgx-svn", value>=4] => permit();', true],
    ['[type=="x-ms-sgx-svn", value>4] => permit();', false],
    ['[type=="x-ms-sgx-svn", value<=4] => permit();', true],
    ['[type=="x-ms-sgx-svn", value<4] => permit();', false],
    ['[type=="x-ms-sgx-svn", value!=5] => permit();', true],
    ['[type=="x-ms-sgx-svn", value!=4] => permit();', false],
    // Kinds are not converted, in either direction.
    ['[type=="x-ms-sgx-svn", value=="4"] => permit();', false],
    ['[type=="x-ms-sgx-svn", value!="5"] => permit();', false],
    ['[type=="x-ms-sgx-is-debuggable", value=="false"] => permit();', false],
    ['[type=="colour", value>="a"] => permit();', false],
    ['[type=="absent", value!="x"] => permit();', false],
    ['[type=="colour", value=="blue"] => permit();', true],
    ['[type=="colour", value=="blue"] && [type=="x-ms-sgx-svn", value==4] => permit();', true],
    ['[type=="colour", value=="blue"] && [type=="x-ms-sgx-svn", value==5] => permit();', false],
    ['[type=="colour", issuer=="CustomClaim"] => permit();', true],
    ['[type=="colour", issuer=="AttestationService"] => permit();', false],
    ['[type=="x-ms-sgx-svn", valueType=="integer"] => permit();', true],
    ['a:[type=="colour"] && [type=="shade", value==a.value] => permit();', false],
    [
      'a:[type=="colour", value=="red"] => add(type="shade", value=a.value); [type=="shade", value=="red", issuer=="AttestationPolicy"] => permit();',
      true,
    ],
    ['![type=="absent"] => permit();', true],
    ['![type=="colour"] => permit();', false],
  ])('%s: %p', (rules, permitted) => {
    expect(decide(rules, '', '1.2').permitted).toBe(permitted);
  });

  it('say which rule decided, and of the others what was not met', () => {
    const { decidedAt, trace } = decide(
      '[type=="x-ms-sgx-svn", value>=9] => permit();\n[type=="absent"] => deny();\n=> deny();',
    );
    expect(decidedAt).toBe(5);
    expect(trace).toEqual([
      {
        line: 3,
        action: 'permit',
        met: false,
        unmet: { condition: '[type=="x-ms-sgx-svn", value>=9]', actual: '4' },
      },
      { line: 4, action: 'deny', met: false, unmet: { condition: '[type=="absent"]', actual: 'not stated' } },
      { line: 5, action: 'deny', met: true },
    ]);
  });

  it('decide nothing where claims combine without end', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => `${id}:[value!="x"]`).join(' && ');
    const many: MaaClaim[] = Array.from({ length: 20 }, (_unused, value) => ({
      type: 'n',
      value: `v${value}`,
      issuer: 'CustomClaim',
    }));
    const policy = parseMaaPolicy(`version=1.0; authorizationrules { ${names} => deny(); => permit(); };`);
    expect(() => evaluateMaaPolicy(policy, many)).toThrow(MaaPolicyError);
  });
});

describe('issuance rules', () => {
  it('issue, add and set properties; not where access is denied', () => {
    const rules = `c:[type=="x-ms-sgx-mrsigner"] => issue(type="sgx-mrsigner", value=c.value);
      c:[type=="colour"] => issue(claim=c);
      => add(type="internal", value="yes");
      [type=="internal"] => issue(type="seen", value=true);
      => issueproperty(type="report_validity_in_minutes", value=5);`;
    const { issued, properties } = decide('=> permit();', rules);
    expect(issued).toEqual([
      { type: 'sgx-mrsigner', value: 'ab'.repeat(32) },
      { type: 'colour', value: 'red' },
      { type: 'colour', value: 'blue' },
      { type: 'seen', value: true },
    ]);
    expect([...properties]).toEqual([['report_validity_in_minutes', 5]]);
    expect(decide('=> deny();', rules).issued).toEqual([]);
  });
});

describe('parsing', () => {
  it('takes the spellings of the documentation', () => {
    const { version, configuration, authorization, issuance } = parseMaaPolicy(
      `Version=1.1;
      configurationrules{ => issueproperty(type = "x-ms-sgx-tcbidentifier", value = "azuredefault"); };
      AuthorizationRules { c:[type = “x-ms-sgx-svn”] => Permit(); }
      Issuancerules { };`,
    );
    expect([version, configuration.length, authorization.length, issuance.length]).toEqual(['1.1', 1, 1, 0]);
  });

  it.each([
    ['', 'MAA_POLICY_SYNTAX', 1],
    ['version=2.0; authorizationrules{};', 'MAA_POLICY_UNSUPPORTED', 1],
    ['version=1.0; issuancerules{};', 'MAA_POLICY_SYNTAX', 1],
    ['version=1.0;\nauthorizationrules{ => allow(); };', 'MAA_POLICY_SYNTAX', 2],
    ['version=1.0;\nauthorizationrules{ => issue(type="a", value=1); };', 'MAA_POLICY_SYNTAX', 2],
    ['version=1.0; authorizationrules{}; authorizationrules{};', 'MAA_POLICY_SYNTAX', 1],
    ['version=1.0; authorizationrules{}; constructor{};', 'MAA_POLICY_SYNTAX', 1],
    ['version=1.0; authorizationrules{ [type==x] => permit(); };', 'MAA_POLICY_SYNTAX', 1],
    ['version=1.0; authorizationrules{ [kind=="x"] => permit(); };', 'MAA_POLICY_SYNTAX', 1],
    ['version=1.0; authorizationrules{ [issuer=="Me"] => permit(); };', 'MAA_POLICY_SYNTAX', 1],
    ['version=1.0; authorizationrules{ a:![type=="x"] => permit(); };', 'MAA_POLICY_SYNTAX', 1],
    [
      'version=1.0; authorizationrules{ a:[type=="x"] && a:[type=="y"] => permit(); };',
      'MAA_POLICY_SYNTAX',
      1,
    ],
    [
      'version=1.0; authorizationrules{ [type=="x"] => add(type="y", value=b.value); };',
      'MAA_POLICY_SYNTAX',
      1,
    ],
    ['version=1.0; authorizationrules{ [type=="x", value==1.5] => permit(); };', 'MAA_POLICY_SYNTAX', 1],
    ['version=1.0; authorizationrules{ [type=="x] => permit(); };', 'MAA_POLICY_SYNTAX', 1],
    ['version=1.0; authorizationrules{ => permit();', 'MAA_POLICY_SYNTAX', 1],
    [
      'version=1.2; authorizationrules{ [value==JmesPath("a","b")] => permit(); };',
      'MAA_POLICY_UNSUPPORTED',
      1,
    ],
    [`version=1.0; authorizationrules{ ${' '.repeat(70_000)} };`, 'MAA_POLICY_TOO_LARGE', 1],
    [`version=1.0; authorizationrules{ ${'=> permit();'.repeat(501)} };`, 'MAA_POLICY_TOO_LARGE', 1],
    [
      `version=1.0; authorizationrules{ ${'[type=="a"]&&'.repeat(16)}[type=="a"] => permit(); };`,
      'MAA_POLICY_TOO_LARGE',
      1,
    ],
  ])('refuses %#', (text, code, line) => {
    const { code: found, line: at, column } = refusal(text);
    expect({ found, at }).toEqual({ found: code, at: line });
    expect(column).toBeGreaterThan(0);
  });
});

it('the hash is over the base64url of the text', () => {
  const inner = Buffer.from('version= 1.0;').toString('base64url');
  expect(maaPolicyHash('version= 1.0;')).toBe(hash('sha256', inner, 'base64url'));
});
