import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decide, lintManifest } from '../index.js';
import { code, compile, E, request } from './decision-fixtures.js';

const secrets =
  'secrets: [{ vault: v, objectName: a, objectType: secret, as: file, path: /a }, { vault: v, objectName: b, objectType: secret, objectAlias: B, as: env }]';
const gramine = (section: string, more = '') =>
  compile(`w:\n  identity: { mrenclave: [${E}] }\n  ${secrets}\n  gramine: ${section}\n  ${more}`);
const by = (convention: 'sha256-spki' | 'dice-claims' | 'sha512-spki') =>
  request({}, { binding: { convention, challenge: false } });

describe('a workload for Gramine', () => {
  it('grants what is to be sent', () => {
    const granted = decide(gramine('{ delivery: raw16, secret: a, encoding: base64 }'), by('sha256-spki'));
    expect(granted).toMatchObject({
      outcome: 'granted',
      grants: { gramine: { delivery: 'raw16', secret: 'a', encoding: 'base64' } },
    });
    expect(decide(gramine('{ delivery: json-bundle }'), by('sha256-spki'))).toMatchObject({
      grants: { gramine: { delivery: 'json-bundle', encoding: 'none' } },
    });
  });

  it('accepts both ways in which Gramine binds its key, and no other', () => {
    const compiled = gramine('{ delivery: raw, secret: B }');
    expect(code(decide(compiled, by('sha256-spki')))).toBe('granted');
    expect(code(decide(compiled, by('dice-claims')))).toBe('granted');
    expect(code(decide(compiled, by('sha512-spki')))).toBe('BINDING_NOT_ALLOWED');
  });

  it('accepts only what the manifest names where it names something', () => {
    const compiled = gramine('{ delivery: raw, secret: B }', 'binding: { convention: dice-claims }');
    expect(code(decide(compiled, by('dice-claims')))).toBe('granted');
    expect(code(decide(compiled, by('sha256-spki')))).toBe('BINDING_NOT_ALLOWED');
  });

  it('and other workloads keep to the one default', () => {
    const compiled = compile(`w:\n  identity: { mrenclave: [${E}] }\n  ${secrets}`);
    expect(code(decide(compiled, by('dice-claims')))).toBe('BINDING_NOT_ALLOWED');
  });

  it('is written as docs/wrappers/gramine.md shows it', () => {
    const page = readFileSync(join(import.meta.dirname, '../../../../docs/wrappers/gramine.md'), 'utf8');
    const example = /```yaml\n(\s*siegel: v1[\s\S]+?)```/.exec(page)?.[1] ?? '';
    const text = example.replace('<64 hex digits>', E);
    expect(text).not.toBe(example);
    expect(lintManifest(text)).toEqual({ ok: true, problems: [] });
  });
});
