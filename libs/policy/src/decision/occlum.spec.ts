import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decide, lintManifest } from '../index.js';
import { code, compile, E, request } from './decision-fixtures.js';

const secrets =
  'secrets: [{ vault: v, objectName: a, objectType: secret, as: file, path: /a }, { vault: v, objectName: b, objectType: secret, objectAlias: B, as: env }]';
const occlum = (section: string, more = '') =>
  compile(`w:\n  identity: { mrenclave: [${E}] }\n  ${secrets}\n  occlum: ${section}\n  ${more}`);
const by = (convention: 'sha256-spki' | 'aecs-pem' | 'dice-claims') =>
  request({}, { binding: { convention, challenge: false } });

describe('a workload for Occlum', () => {
  it('grants the answers, each with its secret and the form that its name suggests', () => {
    const section =
      '{ answers: [{ name: image_key, secret: a, encoding: hex }, { name: x, service: s1, secret: B, length: 32, form: bytes }] }';
    expect(decide(occlum(section), by('aecs-pem'))).toMatchObject({
      outcome: 'granted',
      grants: {
        occlum: {
          protocols: ['aecs'],
          answers: [
            { name: 'image_key', form: 'image-key', encoding: 'hex', secret: { objectName: 'a' } },
            {
              name: 'x',
              service: 's1',
              form: 'bytes',
              encoding: 'none',
              length: 32,
              secret: { objectName: 'b' },
            },
          ],
        },
      },
    });
  });

  it('accepts the bindings of the clients that may come, and no other', () => {
    const answers = 'answers: [{ name: n, secret: B }]';
    const one = occlum(`{ ${answers} }`);
    expect(code(decide(one, by('aecs-pem')))).toBe('granted');
    expect(code(decide(one, by('sha256-spki')))).toBe('granted');
    expect(code(decide(one, by('dice-claims')))).toBe('BINDING_NOT_ALLOWED');
    const other = occlum(`{ protocols: [grpc_ratls], ${answers} }`);
    expect(code(decide(other, by('aecs-pem')))).toBe('BINDING_NOT_ALLOWED');
    expect(code(decide(other, by('sha256-spki')))).toBe('granted');
    const named = occlum(`{ ${answers} }`, 'binding: { convention: aecs-pem }');
    expect(code(decide(named, by('sha256-spki')))).toBe('BINDING_NOT_ALLOWED');
  });

  it('and other workloads refuse what only Occlum sends', () => {
    const compiled = compile(`w:\n  identity: { mrenclave: [${E}] }\n  ${secrets}`);
    expect(code(decide(compiled, by('aecs-pem')))).toBe('BINDING_NOT_ALLOWED');
  });

  it('is written as docs/manifest.md and docs/wrappers/occlum.md show it', () => {
    const root = join(import.meta.dirname, '../../../..');
    const reference = readFileSync(join(root, 'docs/manifest.md'), 'utf8');
    const part = /```yaml\n( {4}secrets:(?:(?!```)[\s\S])+?occlum:[\s\S]+?)```/.exec(reference)?.[1] ?? '';
    expect(part).toContain('image_key');
    const text = `siegel: v1\nworkloads:\n  w:\n    identity: { mrenclave: [${E}] }\n${part}`;
    expect(lintManifest(text)).toEqual({ ok: true, problems: [] });
    const page = readFileSync(join(root, 'docs/wrappers/occlum.md'), 'utf8');
    const example = /```yaml\n(\s*siegel: v1[\s\S]+?)```/.exec(page)?.[1] ?? '';
    const whole = example.replace('<64 hex digits>', E);
    expect(whole).not.toBe(example);
    expect(lintManifest(whole)).toEqual({ ok: true, problems: [] });
  });
});
