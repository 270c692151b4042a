import { parseDocument } from 'yaml';
import { ANJUNA_BINDING, DEFAULT_ENGINE, secretNamed } from './anjuna/secret-name.js';
import { type Importer, type ImportLine, malformed, textOf } from './importer.js';

type Members = Readonly<Record<string, unknown>>;
type Report = (path: string, result: ImportLine['result'], note: string) => void;

const MAX_KEYS = 256;
const KEY_URI = /^anjuna:\/\/keys\/([^/?#]+)$/;

/** Entries about the enclave's own working: they are part of what is measured (docs.anjuna.io, "Manifest entries"). */
const MEASURED = new Set([
  'encrypted_files',
  'attested_files',
  'trusted_files',
  'command_arguments',
  'enclave_size',
  'disable_avx',
]);

/** The manifest of an Anjuna enclave: of its `keys`, those of a key server become secrets of the workload. */
export const ANJUNA_MANIFEST: Importer = {
  what: 'manifest of an Anjuna SGX enclave (YAML)',
  maxBytes: 64 * 1024,
  read: (file) => {
    const manifest = yaml(textOf(file));
    const report: ImportLine[] = [];
    const add: Report = (path, result, note) => void report.push({ path, result, note });
    add(
      'identity',
      'unsupported',
      'the manifest does not say what the enclave measures as: import the script that authorizes it, or its SIGSTRUCT, and add identity',
    );
    const secrets = keysOf(manifest['keys'], add);
    for (const name of Object.keys(manifest)) {
      if (name === 'keys') continue;
      if (name === 'policy_manager' || name === 'anjuna_key_server')
        add(
          name,
          'unsupported',
          "the runtime's own protocol to its policy manager is not public: secrets come another way",
        );
      else if (MEASURED.has(name)) add(name, 'mapped', 'no rule is needed: it is in the measurement');
      else add(name, 'unsupported', 'not known');
    }
    return { workload: { binding: ANJUNA_BINDING, secrets }, report };
  },
};

function keysOf(keys: unknown, add: Report): object[] {
  if (keys === undefined || keys === null) throw malformed('it has no "keys"');
  if (!Array.isArray(keys) || keys.length > MAX_KEYS)
    throw malformed(`"keys" is not a list of at most ${MAX_KEYS}`);
  const secrets: object[] = [];
  const seen = new Set<string>();
  for (const [index, key] of (keys as unknown[]).entries()) {
    const path = `keys[${index}]`;
    if (!isObject(key) || typeof key['id'] !== 'string') throw malformed(`${path} is no key with an id`);
    const { source, uri } = key;
    if (source === 'key_server') {
      const name = typeof uri === 'string' ? KEY_URI.exec(uri)?.[1] : undefined;
      const secret =
        name === undefined ? 'its uri is not anjuna://keys/NAME' : secretNamed(name, DEFAULT_ENGINE);
      if (typeof secret === 'string') add(path, 'unsupported', secret);
      else {
        if (!seen.has(name!)) secrets.push(secret.grant);
        seen.add(name!);
        add(path, 'mapped', secret.note);
      }
    } else if (source === 'hardware' || source === 'enclave_generated')
      add(path, 'mapped', 'no secret is needed: the enclave has this key of itself');
    else if (source === 'RSA')
      add(
        path,
        'unsupported',
        'a public key of somebody else, which is in the measurement; nothing here checks it',
      );
    else add(path, 'unsupported', 'its source is not known');
    for (const name of Object.keys(key).filter((one) => !KEY_MEMBERS.has(one)))
      add(`${path}.${name.slice(0, 64)}`, 'unsupported', 'not known');
  }
  return secrets;
}

const KEY_MEMBERS = new Set(['id', 'source', 'uri', 'bindings', 'value']);

function yaml(text: string): Members {
  let value: unknown;
  try {
    const document = parseDocument(text, {
      schema: 'core',
      uniqueKeys: true,
      stringKeys: true,
      prettyErrors: false,
    });
    if (document.errors.length > 0 || document.warnings.length > 0) throw malformed('it is no strict YAML');
    // Aliases could make a small file a large one.
    value = document.toJS({ maxAliasCount: 0 });
  } catch {
    throw malformed('it is no strict YAML');
  }
  if (!isObject(value)) throw malformed('it is no mapping');
  return value;
}

const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
