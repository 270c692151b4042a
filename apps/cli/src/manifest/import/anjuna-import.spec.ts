import { describe, expect, it } from '@jest/globals';
import { run } from '../../main.js';
import { recordingTerminal } from '../../terminal/recording-terminal.js';

const E = 'ab'.repeat(32);
const F = 'ef'.repeat(32);
const S = 'cd'.repeat(32);
const T = '12'.repeat(32);
/** The sample key of Intel's SDK. */
const PUBLIC = '83d719e77deaca1470f6baf62a4d774303c899db69020f9c70ee1dfc08c7ce9e';
const BINDING = { convention: ['sha256-spki', 'sha512-rsa-der'] };
const VALUE = 'the value itself';

async function imported(kind: string, source: string, ...more: string[]) {
  const terminal = recordingTerminal({ stdin: source });
  const code = await run(['manifest', 'import', kind, '-', '--json', ...more], terminal);
  const { manifest, report, error } = JSON.parse(terminal.written.out) as {
    manifest?: { workloads: Record<string, unknown> };
    report?: { path: string; result: string; note: string }[];
    error?: { code: string };
  };
  const lines = (report ?? []).map(({ path, result }) => `${result} ${path}`);
  const open = lines.filter((line) => !line.startsWith('mapped'));
  return {
    code,
    workloads: manifest?.workloads,
    lines,
    open,
    error: error?.code,
    text: terminal.written.out,
  };
}
const secret = (name: string, vault = 'anjuna') => ({
  vault,
  objectName: name.replace(/[_.]/g, '-'),
  objectType: 'secret',
  objectAlias: name,
  as: 'file',
  path: `/run/secrets/${name}`,
});

describe('siegel manifest import anjuna-authorize', () => {
  const script = (text: string, ...more: string[]) => imported('anjuna-authorize', text, ...more);
  const enclave = (name = 'key', mrenclave = E, signer = S) =>
    `anjuna-policy-manager authorize enclave --enclave ${mrenclave} --signer ${signer} ${name}`;

  it('makes a workload of each identity: quotes, comments, continuation lines, variables of the script', async () => {
    const { code, workloads, lines } = await script(`#!/bin/sh
set -eu
export SIGNER_ID="${S.toUpperCase()}"   # as the build printed it
ENCLAVE_ID='${E}'
ANJUNA_ADDR=https://apm.test:8201 anjuna-policy-manager authorize enclave \\
    --signer "\${SIGNER_ID}" \\
    --enclave "$ENCLAVE_ID" \\
    database_key
# anjuna-policy-manager authorize signer --signer ${T} never
/opt/anjuna/bin/anjuna-policy-manager authorize enclave --enclave=$ENCLAVE_ID --signer=$SIGNER_ID --engine-path shop/ tls-key > /dev/null 2>&1 || exit 1
${enclave('other', F)}; ${enclave('other', F)} && echo done
`);
    expect([code, lines]).toEqual([
      0,
      ['mapped line 5', 'mapped line 10', 'mapped line 11', 'mapped line 11'],
    ]);
    expect(workloads).toEqual({
      imported: {
        identity: { mrenclave: [E], mrsigner: [S] },
        binding: BINDING,
        secrets: [secret('database_key'), secret('tls-key', 'shop')],
      },
      'imported-2': {
        identity: { mrenclave: [F], mrsigner: [S] },
        binding: BINDING,
        secrets: [secret('other')],
      },
    });
  });

  it('says what a rule by signer leaves open, which no manifest may', async () => {
    const text = `anjuna-policy-manager authorize signer --signer ${S} key`;
    const { code, workloads, open } = await script(text);
    const linted = 'unsupported workloads.imported.identity.mrsigner';
    expect([code, open]).toEqual([
      1,
      ['unsupported line 1 isvprodid', 'unsupported line 1 isvsvn', linted, linted],
    ]);
    expect(workloads).toEqual({
      imported: { identity: { mrsigner: [S] }, binding: BINDING, secrets: [secret('key')] },
    });
  });

  it('refuses a rule by a signer whose key is public, and leaves that signer out beside a measurement', async () => {
    const bySigner = await script(`anjuna-policy-manager authorize signer --signer ${PUBLIC} key`);
    expect(bySigner.code).toBe(1);
    expect(bySigner.open).toContain('unsupported line 1 signer');
    const exact = await script(enclave('key', E, PUBLIC));
    expect(exact.code).toBe(0);
    expect(exact.workloads).toMatchObject({ imported: { identity: { mrenclave: [E] } } });
    expect(exact.text).not.toContain(PUBLIC);
  });

  it('gives an enclave what its signer may have, and nothing of another signer', async () => {
    const { workloads } = await script(
      `${enclave('own')}\n${enclave('foreign', F, T)}\nanjuna-policy-manager authorize signer --signer ${S} all`,
    );
    expect(workloads).toMatchObject({
      imported: { secrets: [secret('own'), secret('all')] },
      'imported-2': { secrets: [secret('foreign')] },
      'imported-3': { identity: { mrsigner: [S] }, secrets: [secret('all')] },
    });
  });

  it('takes no value over and repeats none', async () => {
    const { code, open, text } = await script(
      `anjuna-policy-manager secret create key --value '${VALUE}'\n${enclave()}`,
    );
    expect([code, open]).toEqual([1, ['unsupported line 1']]);
    expect(text).not.toContain(VALUE);
    const misplaced = await script(`${enclave()} "--value=${VALUE}"`);
    expect(misplaced.open).toContain('unsupported line 1');
    expect(misplaced.text).not.toContain(VALUE);
  });

  it.each([
    ['under a condition', `if [ -n "$X" ]; then\n${enclave()}\nfi`],
    ['in a loop', `for name in a b; do ${enclave('key')}; done`],
    ['if another succeeds', `test -f x && ${enclave()}`],
    ['if another fails', `false || ${enclave()}`],
    ['in a function', `grant() { ${enclave()}; }`],
    ['behind the end', `exit 0\n${enclave()}`],
    ['in a pipe', `${enclave()} | cat`],
    ['with a variable of somebody else', enclave('"$SECRET"')],
    [
      'with a variable that may be another',
      `S1=${S}\nif true; then S1=${T}; fi\n${enclave('key', E, '$S1')}`,
    ],
    ['with the output of a command', enclave('$(cat name)')],
    ['with a pattern', enclave('key*')],
    ['of words in a variable', `W="a b"\n${enclave('$W')}`],
    ['with a variable of variables', `A=${'x'.repeat(900)}; B=$A$A; C=$B$B; ${enclave('$C')}`],
    ['in a substitution', `X=$(${enclave()})`],
    ['by another shell', `sh -c '${enclave()}'`],
    ['with an unknown option', `${enclave()} --force`],
    ['with an option twice', `${enclave()} --signer ${T}`],
    ['without its signer', `anjuna-policy-manager authorize enclave --enclave ${E} key`],
    ['with a measurement that is none', enclave('key', E.slice(1))],
    ['of two names', enclave('key other')],
    ['without a name', enclave('')],
    ['with a name that no vault has', enclave('a/b')],
    ['with an engine that is no vault', `${enclave()} --engine-path kv/shop`],
    ['of an enclave without --enclave', `anjuna-policy-manager authorize enclave --signer ${S} key`],
    ['of another kind', `anjuna-policy-manager authorize user --signer ${S} key`],
    ['that takes something away', `anjuna-policy-manager revoke enclave --enclave ${E} --signer ${S} key`],
  ])('takes nothing from a command %s, and says so', async (_what, text) => {
    const { code, workloads, open } = await script(`${text}\n:; anjuna-policy-manager`);
    expect(code).toBe(1);
    expect(workloads).toEqual({});
    expect(open.length).toBeGreaterThan(1);
  });

  it.each([
    ['another way of authorizing', 'vault policy write p p.hcl'],
    ['a program that is not known', './grant-more.sh'],
  ])('passes over nothing: %s', async (_what, text) => {
    const { code, open } = await script(`${enclave()}\n${text}`);
    expect([code, open]).toEqual([1, ['unsupported line 2']]);
  });

  it.each([
    ['without such a command', 'echo hello'],
    ['with a quotation mark that does not end', `${enclave()} "x`],
    ['whose variables grow without bound', `A=${'x'.repeat(1_000)}\n${enclave(`"${'$A'.repeat(100)}"`)}`],
    ['with a here-document', `${enclave()} <<END\nEND`],
    ['that is no text', `${enclave()}\0`],
  ])('refuses a file %s', async (_what, text) => {
    const { error, workloads } = await script(text);
    expect([error, workloads]).toEqual(['FORMAT_MALFORMED', undefined]);
  });
});

describe('siegel manifest import anjuna-manifest', () => {
  const read = (text: string, ...more: string[]) => imported('anjuna-manifest', text, ...more);
  const KEYS = `keys:
- {id: sealed, source: hardware, bindings: [VENDOR_IDENTITY, ENCLAVE_IDENTITY]}
- {id: own, source: enclave_generated}
- {id: data, source: key_server, uri: anjuna://keys/database_key}
`;

  it('makes secrets of the keys of the key server, and lacks the identity', async () => {
    const { code, workloads, lines } = await read(`${KEYS}encrypted_files:\n- {path: a.db, key: data}\n`);
    expect(code).toBe(1);
    expect(workloads).toEqual({ imported: { binding: BINDING, secrets: [secret('database_key')] } });
    expect(lines.slice(0, 5)).toEqual([
      'unsupported identity',
      'mapped keys[0]',
      'mapped keys[1]',
      'mapped keys[2]',
      'mapped encrypted_files',
    ]);
    // A manifest without identity could not be set; the linter's word stands beside ours.
    expect(lines.slice(5).every((line) => line.startsWith('unsupported'))).toBe(true);
  });

  it.each([
    ['a key of somebody else', '- {id: k, source: RSA, value: pem}', 'keys[3]'],
    ['a source that is not known', '- {id: k, source: hsm}', 'keys[3]'],
    ['another server', '- {id: k, source: key_server, uri: "https://keys/k"}', 'keys[3]'],
    ['a key without its uri', '- {id: k, source: key_server}', 'keys[3]'],
    ['a name that no vault has', '- {id: k, source: key_server, uri: anjuna://keys/a/b}', 'keys[3]'],
    ['a member that is not known', '- {id: k, source: hardware, colour: red}', 'keys[3].colour'],
    ['the protocol of the runtime', 'policy_manager: {url: "https://apm.test:8201"}', 'policy_manager'],
    ['an entry that is not known', 'colour: red', 'colour'],
  ])('does not support %s, and says so', async (_what, line, path) => {
    const { code, open, workloads } = await read(`${KEYS}${line}\n`, '--accept', 'identity');
    expect(code).toBe(1);
    expect(open).toContain(`unsupported ${path}`);
    expect(workloads).toMatchObject({ imported: { secrets: [secret('database_key')] } });
  });

  it.each([
    ['no YAML', '{'],
    ['a key twice', `${KEYS}keys: []\n`],
    ['an alias', 'a: &a [1]\nkeys: *a\n'],
    ['no keys', 'enclave_size: 1G\n'],
    ['keys that are no list', 'keys: {}\n'],
    ['a key without id', 'keys:\n- {source: hardware}\n'],
    ['no mapping', '[1]'],
    ['a key that is a list', `${KEYS}[a]: b\n`],
  ])('refuses a file with %s', async (_what, text) => {
    const { error, workloads } = await read(text);
    expect([error, workloads]).toEqual(['FORMAT_MALFORMED', undefined]);
  });
});
