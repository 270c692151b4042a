import { argvReferences } from '../argv-template.js';
import { envNameFrom, FORMATS } from '../manifest/formats.js';
import type { SecretEntry } from '../manifest/schema.js';
import { quoted } from '../problem.js';
import type { PathStep } from '../problem.js';
import { didYouMean } from '../spelling.js';
import { isLoaderName, looksSecret } from './environment-names.js';
import { error, warning } from './rule.js';
import type { Report, WorkloadView } from './rule.js';

/** Lints how secrets reach the enclave: vaults, names, paths, modes and the command line. */
export function lintDelivery(view: WorkloadView, report: Report): void {
  const { name, workload } = view;
  const base = ['workloads', name];
  const secrets = workload.secrets ?? [];
  if (secrets.length === 0 && !workload.certificate) {
    const message =
      'the workload grants no secret and no certificate: callers receive only an attestation token';
    report(warning('NOTHING_GRANTED', base, message, { at: 'key' }));
  }
  for (const [index, entry] of secrets.entries()) {
    const path = [...base, 'secrets', index];
    lintVault(view, entry, path, report);
    if (entry.objectType === 'key') {
      const message =
        'a key never leaves its vault, so that there is nothing to release; store the key material as a secret, or name a certificate';
      report(error('KEY_NOT_EXPORTABLE', [...path, 'objectType'], message, { suggestion: 'secret' }));
    }
    if (entry.as === 'file') lintFile(entry, path, report);
    else lintUnused(entry, path, report);
    if (entry.as === 'env') lintEnvName(entry, path, report);
    if (entry.allowExpired === true) {
      report(
        warning(
          'EXPIRED_ALLOWED',
          [...path, 'allowExpired'],
          'the secret is released after its expiry as well',
        ),
      );
    }
  }
  lintCollisions(view, report);
  lintFiles(secrets, base, report);
  lintArgv(view, report);
  for (const [key, value] of Object.entries(workload.env ?? {})) {
    const path = [...base, 'env', key];
    if (value.includes('\0'))
      report(error('ENV_VALUE_INVALID', path, 'a value of the environment cannot contain NUL'));
    if (isLoaderName(key)) report(loaderName(key, path));
    if (looksSecret(key, value)) {
      const message = `${key} looks like a secret; "env" is stored and shown in the clear. Put it into a vault`;
      report(warning('PLAINTEXT_SECRET', path, message, { at: 'key' }));
    }
  }
}

function lintVault(
  { manifest, knownVaults }: WorkloadView,
  { vault }: SecretEntry,
  path: PathStep[],
  report: Report,
): void {
  const declared = manifest.vaults;
  const known = declared ?? knownVaults;
  const missing = (declared && !declared.includes(vault)) || (knownVaults && !knownVaults.includes(vault));
  if (!known || !missing) return;
  const where = declared && !declared.includes(vault) ? 'in "vaults"' : 'in this deployment';
  const message = `there is no vault ${quoted(vault)} ${where}; known: ${known.join(', ') || 'none'}`;
  report(error('VAULT_UNKNOWN', [...path, 'vault'], message, { suggestion: didYouMean(vault, known) }));
}

function lintEnvName({ objectAlias, objectName }: SecretEntry, path: PathStep[], report: Report): void {
  const name = objectAlias ?? objectName;
  if (!FORMATS.envName.pattern.test(name)) {
    const at = [...path, objectAlias === undefined ? 'objectName' : 'objectAlias'];
    const alias = envNameFrom(name);
    const message = `${quoted(name)} cannot be the name of an environment variable; give an objectAlias that can`;
    report(error('ENV_NAME_INVALID', at, message, { suggestion: alias && `objectAlias: ${alias}` }));
  } else if (isLoaderName(name)) {
    report(loaderName(name, [...path, objectAlias === undefined ? 'objectName' : 'objectAlias']));
  }
}

function loaderName(name: string, path: PathStep[]) {
  return warning(
    'ENV_NAME_RESERVED',
    path,
    `${name} decides which code the program loads or whom it trusts`,
    { at: 'key' },
  );
}

function lintUnused(entry: SecretEntry, path: PathStep[], report: Report): void {
  for (const key of ['path', 'mode'] as const) {
    if (entry[key] !== undefined) {
      report(
        error('KEY_NOT_USED', [...path, key], `"${key}" is for files; this secret goes to ${entry.as}`, {
          at: 'key',
        }),
      );
    }
  }
}

const PSEUDO_FILE_SYSTEMS = /^\/(?:proc|sys|dev)(?:\/|$)/;
/** Programs and what decides which of them run: a secret written there replaces them. */
const SYSTEM_PATHS =
  /^\/(?:bin|sbin|lib|lib32|lib64|usr|boot)(?:\/|$)|^\/etc\/(?:passwd|shadow|group|sudoers|ld\.so\.(?:preload|conf|cache))$/;

function lintFile(
  { path: file, mode, objectName, objectAlias }: SecretEntry,
  path: PathStep[],
  report: Report,
): void {
  if (file === undefined) {
    const message = 'a secret as a file needs a path';
    report(
      error('PATH_MISSING', path, message, { suggestion: `path: /run/secrets/${objectAlias ?? objectName}` }),
    );
    return;
  }
  const at = [...path, 'path'];
  if (file.length > 4095 || file.split('/').some((segment) => Buffer.byteLength(segment) > 255)) {
    report(
      error(
        'PATH_INVALID',
        at,
        'the path is longer than file systems allow (4095 characters, 255 bytes per name)',
      ),
    );
  } else if (PSEUDO_FILE_SYSTEMS.test(file)) {
    report(error('PATH_RESERVED', at, 'no file can be kept under /proc, /sys or /dev'));
  } else if (SYSTEM_PATHS.test(file)) {
    report(warning('PATH_RESERVED', at, `${quoted(file)} belongs to the operating system`));
  }
  if (mode === undefined) return;
  const others = Number.parseInt(mode, 8) & 0o007;
  if (others !== 0) {
    const message = `mode ${mode} lets every user in the enclave's file system use the secret`;
    report(warning('MODE_TOO_OPEN', [...path, 'mode'], message, { suggestion: '"0400"' }));
  }
}

/** Two things cannot have one name in one place: the environment, or the command line. */
function lintCollisions({ name, workload }: WorkloadView, report: Report): void {
  const taken = { env: new Set(Object.keys(workload.env ?? {})), argv: new Set<string>() };
  for (const [index, { as, objectAlias, objectName }] of (workload.secrets ?? []).entries()) {
    if (as === 'file') continue;
    const alias = objectAlias ?? objectName;
    if (taken[as].has(alias)) {
      const key = objectAlias === undefined ? 'objectName' : 'objectAlias';
      report(
        error(
          'ALIAS_COLLISION',
          ['workloads', name, 'secrets', index, key],
          `${quoted(alias)} is used twice in ${as}`,
        ),
      );
    }
    taken[as].add(alias);
  }
}

function lintFiles(secrets: readonly SecretEntry[], base: PathStep[], report: Report): void {
  const files = new Map<string, number>();
  const directories = new Set<string>();
  for (const [index, { path, as }] of secrets.entries()) {
    if (as !== 'file' || path === undefined) continue;
    const parents = parentsOf(path);
    const at = [...base, 'secrets', index, 'path'];
    if (files.has(path)) report(error('PATH_COLLISION', at, 'two secrets have this path'));
    else if (directories.has(path) || parents.some((parent) => files.has(parent))) {
      report(error('PATH_COLLISION', at, 'one secret is a file where another needs a directory'));
    }
    files.set(path, index);
    for (const parent of parents) directories.add(parent);
  }
}

function parentsOf(path: string): string[] {
  const parents: string[] = [];
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1))
    parents.push(path.slice(0, end));
  return parents;
}

function lintArgv({ name, workload }: WorkloadView, report: Report): void {
  const base = ['workloads', name];
  const aliases = new Set<string>();
  for (const { as, objectAlias, objectName } of workload.secrets ?? [])
    if (as === 'argv') aliases.add(objectAlias ?? objectName);
  const used = new Set<string>();
  for (const [index, argument] of (workload.argv ?? []).entries()) {
    const path = [...base, 'argv', index];
    if (argument.includes('\0')) report(error('ARGV_INVALID', path, 'an argument cannot contain NUL'));
    for (const reference of argvReferences(argument)) {
      used.add(reference);
      if (aliases.has(reference)) continue;
      const message = `$(${reference}) refers to no secret with as: argv; write $$(${reference}) for the text itself`;
      report(error('ARGV_REFERENCE_UNKNOWN', path, message, { suggestion: didYouMean(reference, aliases) }));
    }
  }
  for (const [index, { as, objectAlias, objectName }] of (workload.secrets ?? []).entries()) {
    const alias = objectAlias ?? objectName;
    if (as !== 'argv' || used.has(alias)) continue;
    const message = `no argument refers to $(${alias}), so that this secret would not be delivered`;
    report(
      error('ARGV_SECRET_UNUSED', [...base, 'secrets', index], message, {
        suggestion: `argv: ["$(${alias})"]`,
      }),
    );
  }
}
