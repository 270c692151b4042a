import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { scone } from '../index.js';

const E = 'ab'.repeat(32);
const S = 'cd'.repeat(32);
function read(text: string) {
  const result = scone.readSession(text);
  if (!result.ok) throw new Error(JSON.stringify(result.faults));
  return result;
}
const service = (lines: string) => read(`name: a\nversion: "0.3"\nservices:\n  - name: s\n    ${lines}\n`);
const faultsOf = (text: string): string[] => {
  const result = scone.readSession(text);
  return result.faults.map(({ path }) => path);
};

describe('SCONE sessions', () => {
  it.each([
    ['"0.3"', []],
    ['0.3', []],
    ['0.3.10', []],
    ['0.30', ['version']],
    ['0.4', ['version']],
    ['0.3.13', ['version']],
    ['~', ['version']],
  ])('version %s', (version, faults) => {
    expect(faultsOf(`name: a\nversion: ${version}`)).toEqual(faults);
  });

  it('splits commands at white space, but for quotes', () => {
    const { session } = service(`mrenclaves: [${E}]\n    command: a  'b c' d"e f"g "" @@2`);
    expect(session.services[0]!.command).toEqual(['a', 'b c', 'de fg', '', '@@2']);
  });

  it('takes an argument of the host once', () => {
    expect(service(`mrenclaves: [${E}]\n    command: a @@1 @@1`).faults).toHaveLength(1);
  });

  it.each([
    ['a misspelled signer', `attestation: { signer: { mrsinger: ${S} } }`],
    ['a version that is none', `attestation: { signer: { mrsigner: ${S}, isvprodid: 1, isvsvn: one } }`],
    ['a product beyond 16 bits', `attestation: { signer: { mrsigner: ${S}, isvprodid: 65536, isvsvn: 1 } }`],
    ['an empty range', `attestation: { signer: { mrsigner: ${S}, isvsvn_min: 3, isvsvn_max: 2 } }`],
    ['a short measurement', `attestation: { mrenclave: abcd, signer: { mrsigner: ${S} } }`],
    ['nothing', 'attestation: {}'],
    ['another key', `attestation: { mrenclave: ${E}, mrtd: x }`],
  ])('a variant with %s is a fault, and never less strict', (_what, lines) => {
    const { session, faults } = service(lines);
    expect(faults.length).toBeGreaterThan(0);
    for (const { mrenclave, signer } of session.services[0]!.variants)
      expect(mrenclave ?? signer).toBeDefined();
    if (!lines.includes('mrtd')) expect(session.services[0]!.variants).toEqual([]);
  });

  it('a placeholder has a name, formats and an escape', () => {
    const parts = scone.parseTemplate('a $$SCONE::b:privatekey:pem|escape(json)$$$$SCONE::c.crt$$');
    expect(parts).toEqual([
      { kind: 'text', text: 'a ' },
      { kind: 'secret', name: 'b', format: 'privatekey:pem', legacy: false, escapeJson: true },
      { kind: 'secret', name: 'c', format: 'crt', legacy: true, escapeJson: false },
    ]);
    expect(() => scone.parseTemplate('$$SCONE::b')).toThrow(scone.PlaceholderError);
    expect(() => scone.parseTemplate('$$SCONE::b|escape(xml)$$')).toThrow(scone.PlaceholderError);
  });

  it.each([
    ['3HdhuraySjEdFgTpeybz4oaE1TDcnMVqfzFX8Ekk1rnbfhmpPD', true],
    ['3s1pm8W6Be6cxvAQRbRP5YXd9YuERAr7KswN97uGtoPkRW87x1', true],
    ['3s1pm8W6Be6cxvAQRbRP5YXd9YuERAr7KswN97uGtoPkRW87x2', false],
    ['', false],
  ])('key hash "%s"', (text, holds) => {
    expect(scone.keyHashBytes(text)?.length === 32).toBe(holds);
  });

  it.each<[what: string, lines: string, faults: string[]]>([
    ['by secret', 'tenant_id: t, client_id: c, application_secret: $$SCONE::s$$', []],
    [
      'by certificate',
      `tenant_id: t, client_id: c, private_key: key, certificate_thumbprint: ${'AB'.repeat(20)}`,
      [],
    ],
    ['by nothing', 'tenant_id: t, client_id: c', ['secrets[0].application_secret']],
    [
      'by both',
      `tenant_id: t, client_id: c, application_secret: s, private_key: k, certificate_thumbprint: ${E}`,
      ['secrets[0].application_secret'],
    ],
    [
      'by a key without its thumbprint',
      'tenant_id: t, client_id: c, private_key: k',
      ['secrets[0].application_secret'],
    ],
    [
      'by a thumbprint that is none',
      'tenant_id: t, client_id: c, private_key: k, certificate_thumbprint: ab',
      ['secrets[0].certificate_thumbprint'],
    ],
    ['of nobody', 'application_secret: s', ['secrets[0].tenant_id', 'secrets[0].client_id']],
  ])('an aad-token %s', (_what, lines, faults) => {
    expect(faultsOf(`name: a\nversion: 0.3\nsecrets:\n  - { name: t, kind: aad-token, ${lines} }`)).toEqual(
      faults,
    );
  });

  it.each([
    ['for a vault', 'environment: { DB: $$SCONE::db$$ }', 'mapped'],
    ['in an environment', 'environment: { T: $$SCONE::aad$$ }', 'unsupported'],
    ['in a command', 'command: app $$SCONE::aad$$', 'unsupported'],
  ])('an aad-token %s is %s', (_what, lines, result) => {
    const imported = scone.importSession(
      read(`name: a
version: 0.3
secrets:
  - { name: aad, kind: aad-token, tenant_id: t, client_id: c, application_secret: s }
  - { name: db, kind: ascii, import_akv: { vault: shop } }
services:
  - { name: s, mrenclaves: [${E}], ${lines} }`),
    );
    expect(imported.report.find(({ path }) => path === 'secrets[0]')?.result).toBe(result);
  });

  it('quorums are counted, and what is not understood is not left out of the count', () => {
    const { session, faults } = read(
      'name: a\nversion: 0.3\naccess_policy: { update: [{ require-all: [CREATOR, nobody] }], read: [ANY, CREATOR] }',
    );
    expect(faults.map(({ path }) => path)).toEqual([
      'access_policy.read',
      'access_policy.update[0].require-all[1]',
    ]);
    expect(session.access.update).toEqual([{ kind: 'threshold', least: 2, of: [{ kind: 'creator' }] }]);
    expect(session.access.read).toEqual([{ kind: 'none' }]);
  });

  it('fragments put in keep what they say, and do not grow without bound', () => {
    const digits = '1'.repeat(64);
    const { session } = read(`name: a
version: 0.3
secrets:
  - { name: list, kind: config-fragment, value: [${digits}, ${E}] }
services:
  - { name: s, mrenclaves: [$$SCONE::list$$, ${'2'.repeat(64)}] }`);
    expect(session.services[0]!.variants).toEqual([{ mrenclave: [digits, E, '2'.repeat(64)] }]);
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    const bomb = names.map((name, at) => {
      const inner = Array(9)
        .fill(at === 0 ? E : `$$SCONE::${names[at - 1]!}$$`)
        .join(', ');
      return `  - { name: ${name}, kind: config-fragment, value: [${inner}] }`;
    });
    const text = `name: a\nversion: 0.3\nsecrets:\n${bomb.join('\n')}\nservices:\n  - { name: s, mrenclaves: [$$SCONE::g$$] }`;
    expect(read(text).session.services[0]).toMatchObject({ variants: [], variantReferences: ['g'] });
    const loop = `name: a\nversion: 0.3\nsecrets: [{ name: a, kind: config-fragment, value: $$SCONE::a$$ }]\nsecurity: $$SCONE::a$$`;
    expect(read(loop).session.security.reference?.name).toBe('a');
  });

  it('refuses more syntax than can be read at once, with the place', () => {
    const list = (values: number) => `name: a\nversion: 0.3\nvolumes:\n${'- a\n'.repeat(values)}`;
    expect(read(list(2_300)).faults).toEqual([]);
    const result = scone.readSession(list(8_000));
    expect(result).toMatchObject({ ok: false, faults: [{ path: '' }] });
    expect(result.faults[0]!.message).toMatch(/^line (23|24)\d\d: more than 12000 /);
  });

  it('never throws', () => {
    const word = fc.constantFrom('name', 'services', 'secrets', 'security', 'attestation', 'images', 'x');
    const value = fc.letrec((tie) => ({
      tree: fc.oneof({ maxDepth: 4 }, fc.jsonValue({ maxDepth: 2 }), fc.dictionary(word, tie('tree'))),
    })).tree;
    fc.assert(
      fc.property(fc.dictionary(word, value), (session) => {
        const result = scone.readSession(JSON.stringify(session));
        if (result.ok) scone.importSession(result);
      }),
      { numRuns: 60 },
    );
  });
});
