import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { SecretDefinition } from '../model.js';
import { GO_ANSWERS } from './go-answers.js';
import { ENV_FUNCTIONS, FILE_FUNCTIONS } from './secret-functions.js';
import type { SecretMaterial } from './secret-material.js';
import { type ParameterKind, Template } from './template.js';
import { secretDictionary, templateData } from './template-data.js';
import { TemplateError } from './template-error.js';
import type { Value } from './values.js';

const definition = (type: SecretDefinition['type'], size = 0, shared = false): SecretDefinition => ({
  type,
  size,
  shared,
  userDefined: false,
  cert: undefined,
  validFor: 0,
  source: undefined,
});
const both = (value: Buffer): SecretMaterial => ({
  private: value,
  public: value,
  certificate: Buffer.alloc(0),
});
const KEY = Buffer.from([0, 255, 16, 65]);
const DEFINITIONS = new Map([
  ['a', definition('symmetric-key', 32, true)],
  ['b-c', definition('plain')],
  ['empty', definition('plain')],
]);
const CERTIFIED: SecretMaterial = {
  private: Buffer.from('private key'),
  public: Buffer.from('public key'),
  certificate: Buffer.alloc(100, 7),
};

function data(
  definitions: ReadonlyMap<string, SecretDefinition>,
  materials: Record<string, SecretMaterial>,
  previous: Record<string, SecretMaterial> = {},
): Value {
  const none = Buffer.alloc(0);
  return templateData({
    secrets: secretDictionary(definitions, new Map(Object.entries(materials))),
    previous: secretDictionary(definitions, new Map(Object.entries(previous))),
    marbleRoot: CERTIFIED.certificate,
    coordinatorRoot: none,
    coordinatorIntermediate: none,
    marble: CERTIFIED,
  });
}
const FIXED = data(
  DEFINITIONS,
  { a: both(KEY), 'b-c': both(Buffer.from('text')) },
  { a: both(Buffer.from([1, 2])) },
);

const render = (source: string, kind: ParameterKind, value: Value = FIXED): string =>
  new Template(Buffer.from(source), kind).render(value).toString();
function answer(source: string, kind: ParameterKind, value: Value = FIXED): string {
  try {
    return render(source, kind, value);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return `!${error.message}`;
  }
}

describe('templates of manifests', () => {
  it.each(GO_ANSWERS)('%j: as Go answers', (source, expected) => {
    expect(answer(source, 'file')).toBe(expected);
  });

  it('what Go would do beyond our subset is refused, not done otherwise', () => {
    for (const source of ['{{ define "x" }}{{ end }}', '{{ template "x" }}', '{{ block "x" . }}{{ end }}'])
      expect(answer(source, 'file')).toMatch(
        /^!template: data:1: \{\{(define|template|block)\}\} is not supported/,
      );
    for (const name of ['html', 'js', 'urlquery', 'call', 'slice'])
      expect(answer(`{{ ${name} "x" }}`, 'file')).toBe(`!template: data:1: function "${name}" not defined`);
  });

  it('never prints a secret or a certificate as a whole', () => {
    for (const source of [
      '{{ .Secrets.a }}',
      '{{ print .Secrets.a }}',
      '{{ printf "%v" .Secrets.a }}',
      '{{ .Secrets.a.Cert }}',
      '{{ . }}',
    ]) {
      const said = answer(source, 'file');
      expect(said).toMatch(/^!template: data:1:3/);
      expect(said).not.toMatch(/255|00ff|65/);
    }
  });

  it('has the functions of files in files and those of the environment there', () => {
    expect(render('{{ raw .Secrets.a }}', 'file')).toBe(KEY.toString());
    expect(new Template(Buffer.from('{{ raw .Secrets.a }}'), 'file').render(FIXED)).toEqual(KEY);
    expect(answer('{{ raw .Secrets.a }}', 'env')).toBe('!template: data:1: function "raw" not defined');
    expect(render('{{ string (index .Secrets "b-c") }}', 'env')).toBe('text');
    expect(answer('{{ string .Secrets.a }}', 'env')).toContain('only if they are of type plain');
    expect(answer('{{ string (index .Secrets "b-c") }}', 'file')).toBe(
      '!template: data:1: function "string" not defined',
    );
    const nul = data(DEFINITIONS, { 'b-c': both(Buffer.from('te\0xt')) });
    expect(answer('{{ string (index .Secrets "b-c") }}', 'env', nul)).toContain('contains null bytes');
    expect(Object.keys(FILE_FUNCTIONS).sort()).toEqual(['base64', 'hex', 'pem', 'raw']);
    expect(Object.keys(ENV_FUNCTIONS).sort()).toEqual(['base64', 'hex', 'pem', 'string']);
  });

  it('pem names what a part is, and is for parts alone', () => {
    const kinds = new Map([['c', definition('cert-ecdsa', 256)]]);
    const value = data(kinds, { c: CERTIFIED });
    expect(render('{{ pem .Secrets.c.Private }}', 'file', value)).toBe(
      '-----BEGIN PRIVATE KEY-----\ncHJpdmF0ZSBrZXk=\n-----END PRIVATE KEY-----\n',
    );
    expect(render('{{ pem .Secrets.c.Public }}', 'env', value)).toContain('BEGIN PUBLIC KEY');
    const lines = render('{{ .Secrets.c.Cert | pem }}', 'file', value).split('\n');
    expect(lines.map(({ length }) => length)).toEqual([27, 64, 64, 8, 25, 0]);
    expect(answer('{{ pem .Secrets.c }}', 'file', value)).toContain('invalid secret type for pem encoding');
    expect(render('{{ raw .Secrets.c }}', 'file', value)).toBe('public key');
    expect(answer('{{ pem .MarbleRun.RootCA.Private }}', 'file', value)).toContain(
      'tried to parse secret with empty value',
    );
    expect(render('{{ pem .MarbleRun.MarbleCert.Private }}', 'file', value)).toContain('cHJpdmF0ZSBrZXk=');
  });

  it('a text without actions is given back, whatever bytes it has', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const source = Buffer.from(bytes);
        if (source.includes('{{')) return;
        expect(new Template(source, 'file').render(FIXED).equals(source)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it('no input makes it fail otherwise than with a TemplateError', () => {
    const piece = fc.constantFrom(
      ...[
        '{{',
        '}}',
        '{{-',
        '-}}',
        ' ',
        '.',
        '.Secrets',
        '.a',
        '"',
        '`',
        '(',
        ')',
        '|',
        'if',
        'end',
        'else',
        'range',
        'with',
      ],
      ...[
        'hex',
        'index',
        'printf',
        '"%s"',
        '$x',
        ':=',
        '=',
        ',',
        '1',
        '-1',
        '1.5',
        'nil',
        'true',
        '/*',
        '*/',
        '\n',
        'ü',
        '\\',
        "'",
      ],
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
        answer(pieces.join(''), 'file');
        answer(`{{ ${pieces.join(' ')} }}`, 'env');
      }),
      { numRuns: 200 },
    );
  });

  it('is bounded in depth, steps and output', () => {
    const nested = '{{if true}}'.repeat(100) + '{{end}}'.repeat(100);
    expect(answer('{{/**/}}'.repeat(4_096), 'file')).not.toMatch(/actions/);
    expect(answer('{{/**/}}'.repeat(4_097), 'file')).toMatch(/more than 4096 actions/);
    expect(answer(nested, 'file')).toMatch(/nested too deep/);
    expect(answer(`{{ hex ${'('.repeat(100)}.Secrets.a${')'.repeat(100)} }}`, 'file')).toMatch(
      /nested too deep/,
    );
    expect(answer('{{ range 20000 }}{{ range 20000 }}{{ end }}{{ end }}', 'file')).toMatch(
      /more than 20000 steps/,
    );
    expect(answer(`{{ range 8000 }}${'x'.repeat(700)}{{ end }}`, 'file')).toMatch(/exceeds 4194304 bytes/);
  });

  it.each([
    ['{{ hex .Secrets.a }}{{ .Secrets.c.Cert | pem }}', ['a', 'c'], [], false],
    ['{{ hex (index .Secrets "b-c") }}{{ hex $.Secrets.a }}', ['b-c', 'a'], [], false],
    ['{{ if true }}{{ hex .Previous.Secrets.a }}{{ end }}', [], ['a'], false],
    ['{{ index .Previous.Secrets "b-c" | hex }}', [], ['b-c'], false],
    ['{{ with .Secrets.a }}{{ hex . }}{{ hex .Secrets }}{{ end }}', ['a'], [], false],
    ['{{ pem .MarbleRun.RootCA.Cert }}{{ eq 1 1 }}', [], [], false],
    ['{{ range .Secrets }}{{ hex . }}{{ end }}', [], [], true],
    ['{{ $x := "a" }}{{ hex (index .Secrets $x) }}', [], [], true],
    ['{{ $x := . }}{{ hex $x.Secrets.a }}', [], [], true],
    ['{{ with .Previous }}{{ hex .Secrets.a }}{{ end }}', [], [], true],
    ['plain', [], [], false],
  ])('%j: touches known secrets', (source, secrets, previous, all) => {
    const found = { secrets: new Set<string>(), previous: new Set<string>(), all: false };
    new Template(Buffer.from(source), 'file').collect(found);
    expect({ ...found, secrets: [...found.secrets], previous: [...found.previous] }).toEqual({
      secrets,
      previous,
      all,
    });
  });
});
