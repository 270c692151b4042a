import { describe, expect, it } from '@jest/globals';
import { run } from '../main.js';
import { recordingTerminal } from '../terminal/recording-terminal.js';

/** A coordinator's manifest with the given parameters; `‸` in it marks where the problem must point: at what Go names in its message. */
const manifest = (parameters: string): string => `{
  "Packages": { "app": { "UniqueID": "${'ab'.repeat(32)}" } },
  "marbles": {
    "web": {
      "Package": "app",
      "Parameters": ${parameters}
    }
  },
  "Secrets": { "db_key": { "Type": "symmetric-key", "Size": 128, "Shared": true } }
}`;

async function lint(marked: string): Promise<{ code: number; out: string; json: unknown; at: unknown }> {
  const text = marked.replace('‸', '');
  const lint = async (...more: string[]) => {
    const terminal = recordingTerminal({ stdin: Buffer.from(text) });
    return {
      code: await run(['manifest', 'lint', '--kind', 'marblerun', '-', ...more], terminal),
      terminal,
    };
  };
  const person = await lint();
  const machine = await lint('--json');
  expect(machine.code).toBe(person.code);
  const before = marked.slice(0, Math.max(0, marked.indexOf('‸')));
  const at = { line: before.split('\n').length, column: before.length - before.lastIndexOf('\n') };
  return {
    code: person.code,
    out: person.terminal.written.out,
    json: JSON.parse(machine.terminal.written.out),
    at,
  };
}

describe('siegel manifest lint --kind marblerun', () => {
  it('passes templates that a coordinator would run', async () => {
    const { code, json, out } = await lint(
      manifest(`{
        "Env": { "KEY": "{{ hex .Secrets.db_key }}", "CA": "{{ pem .MarbleRun.RootCA.Cert }}" },
        "Files": {
          "/k": { "Data": "${Buffer.from('{{ raw .Secrets.db_key }}').toString('base64')}", "Encoding": "base64" },
          "/plain": { "Data": "{{ not a template", "NoTemplates": true }
        }
      }`),
    );
    expect({ code, json }).toMatchObject({ code: 0, json: { ok: true } });
    expect(out).toContain('no errors');
  });

  // In a chain of members, Go points at the second.
  it.each([
    ['a secret that is misspelt', '{ "Env": { "KEY": "{{ ‸hex .Secrets.db_kye }}" } }', 'db_key'],
    ['one by index', '{ "Env": { "KEY": "{{ ‸base64 (index .Secrets \\"dbkey\\") }}" } }', 'db_key'],
    ['a function', '{ "Env": { "KEY": "key={{ ‸base46 .Secrets.db_key }}" } }', 'base64'],
    ['a part of the data', '{ "files": { "/k": "\\u00fc\\n😀{{ hex .Secret‸.db_key }}" } }', 'Secrets'],
    [
      'a member of a secret',
      '{ "Files": { "/k": {"data": "{{ pem .Secrets‸.db_key.Privat }}"} } }',
      'Private',
    ],
    ['a variable', '{ "Files": { "/k": "{{ $key := hex .Secrets.db_key }}{{ ‸$kee }}" } }', '$key'],
    ['an end that is missing', '{ "Files": { "/k": "{{ if true }}\\nx‸" } }', undefined],
    [
      'what is encoded, by its beginning',
      `{ "Files": { "/k": { "Encoding": "base64", "Data": ‸"${Buffer.from('{{ hexx .Secrets.db_key }}').toString('base64')}" } } }`,
      'hex',
    ],
  ])('finds %s, where it stands, and says what was meant', async (_name, parameters, suggestion) => {
    const { code, json, out, at } = await lint(manifest(parameters));
    expect(code).toBe(1);
    const { problems } = json as { problems: { severity: string }[] };
    expect(problems.filter(({ severity }) => severity === 'error')).toEqual([
      {
        code: 'TEMPLATE_FAILS',
        severity: 'error',
        path: expect.stringMatching(/^Marbles\.web\.Parameters\.(Env\.KEY|Files\["\/k"\])$/),
        ...(at as object),
        message: expect.stringMatching(
          /^in Marble web: (env variable KEY|file \/k): template: data:\d+(:\d+)?: /,
        ),
        ...(suggestion === undefined ? {} : { suggestion }),
      },
    ]);
    const { line, column } = at as { line: number; column: number };
    expect(out).toContain(`stdin:${line}:${column}: error TEMPLATE_FAILS: in Marble web`);
    if (suggestion !== undefined) expect(out).toContain(`did you mean: ${suggestion}`);
  });

  it('bounds all templates of a manifest together', async () => {
    const files = Array.from({ length: 60 }, (_, at) => `"/${at}": "{{ range 19000 }}{{ end }}"`);
    const started = performance.now();
    const { code, json } = await lint(manifest(`{ "Files": { ${files.join(', ')} } }`));
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(code).toBe(1);
    expect(json).toMatchObject({
      problems: expect.arrayContaining([
        expect.objectContaining({
          code: 'TEMPLATE_FAILS',
          path: 'Marbles.web.Parameters.Files["/26"]',
          message: expect.stringContaining('all templates up to this one need more than 500000 steps'),
        }),
      ]),
    });
  });
});
