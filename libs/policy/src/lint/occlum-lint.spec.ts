import { describe, expect, it } from '@jest/globals';
import { lintManifest } from '../index.js';

const E = 'ab'.repeat(32);
const manifest = (section: string, more = '') =>
  `siegel: v1\nworkloads:\n  w:\n    identity: { mrenclave: [${E}] }\n    secrets:\n` +
  '      - { vault: v, objectName: a, objectType: secret, as: file, path: /a }\n' +
  '      - { vault: v, objectName: c, objectType: cert, as: file, path: /c }\n' +
  `    occlum: ${section}\n${more}`;
const answers = (...list: string[]) => `{ answers: [${list.map((each) => `{ ${each} }`).join(', ')}] }`;
const ratls = (...list: string[]) => answers(...list).replace('{', '{ protocols: [aecs, grpc_ratls],');
const codes = (text: string) => {
  const { problems } = lintManifest(text);
  return problems.map(({ code, path }) => [code, path.replace('workloads.w.', '')]);
};

describe('the lint of what Occlum asks for', () => {
  it.each([
    answers('name: image_key, secret: a'),
    answers('name: n, service: s1, secret: a', 'name: n, service: s2, secret: c'),
    answers('name: n, secret: a, form: bytes'),
    ratls('name: n, secret: a, form: bytes, length: 32', 'name: m, secret: a, form: bytes, length: 48'),
    ratls('name: n, secret: a, form: base64, length: 16', 'name: image_key, secret: a, encoding: base64'),
    ratls('name: n, secret: c'),
  ])('finds nothing in %s', (section) => expect(codes(manifest(section))).toEqual([]));

  it.each<[string, string, string]>([
    [
      'OCCLUM_NAME_REPEATED',
      'occlum.answers[1].name',
      answers('name: n, secret: a', 'name: n, service: s, secret: c'),
    ],
    [
      'OCCLUM_NAME_REPEATED',
      'occlum.answers[1].name',
      answers('name: n, service: s, secret: a', 'name: n, service: s, secret: c'),
    ],
    ['OCCLUM_SECRET_UNKNOWN', 'occlum.answers[0].secret', answers('name: n, secret: b')],
    ['OCCLUM_SIZE_UNFIT', 'occlum.answers[0]', answers('name: image_key, secret: c')],
    ['KEY_NOT_USED', 'occlum.answers[0].encoding', answers('name: n, secret: a, encoding: hex')],
    ['KEY_NOT_USED', 'occlum.answers[0].length', answers('name: image_key, secret: a, length: 16')],
    [
      'KEY_NOT_USED',
      'occlum.answers[0].service',
      '{ protocols: [grpc_ratls], answers: [{ name: n, service: s, secret: a }] }',
    ],
    ['OCCLUM_LENGTH_MISSING', 'occlum.answers[0]', ratls('name: n, secret: a, form: bytes')],
    ['OCCLUM_SIZE_UNFIT', 'occlum.answers[0].length', ratls('name: n, secret: a, form: bytes, length: 16')],
    [
      'OCCLUM_SIZE_UNFIT',
      'occlum.answers[0].length',
      answers('name: image_key, secret: a, form: bytes, length: 254'),
    ],
    [
      'OCCLUM_SIZE_UNFIT',
      'occlum.answers[0].length',
      answers('name: n, secret: a, form: base64, length: 10000'),
    ],
    ['OCCLUM_NAME_INVALID', 'occlum.answers[0].name', answers('name: "a b", secret: a')],
    ['LIST_EMPTY', 'occlum.answers', '{ answers: [] }'],
  ])('%s at %s', (code, path, section) => expect(codes(manifest(section))).toEqual([[code, path]]));

  it('refuses a secret for the command line, a required challenge, and a binding that shuts the clients out', () => {
    const argv = manifest(answers('name: n, secret: P')).replace(
      '    occlum:',
      '      - { vault: v, objectName: P, objectType: secret, as: argv }\n    argv: ["$(P)"]\n    occlum:',
    );
    expect(codes(argv)).toEqual([['OCCLUM_SECRET_ARGV', 'occlum.answers[0].secret']]);
    const section = answers('name: n, secret: a');
    expect(codes(manifest(section, '    binding: { challenge: required }\n'))).toEqual([
      ['BINDING_HOLDS_NO_CHALLENGE', 'occlum'],
    ]);
    expect(codes(manifest(section, '    binding: { convention: sha256-spki }\n'))).toEqual([
      ['OCCLUM_BINDING_UNFIT', 'occlum'],
    ]);
  });
});
