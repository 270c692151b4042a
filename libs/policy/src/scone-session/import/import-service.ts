import type { PathStep } from '../../problem.js';
import { FORMATS } from '../../manifest/formats.js';
import { hostArguments } from '../text/command.js';
import { parseTemplate, PlaceholderError, wholePlaceholder, type Placeholder } from '../text/placeholder.js';
import type { SconeSecret, SconeService, SconeSession } from '../model.js';
import type { ImportReport } from './report.js';

/** What a service is given besides its identity, in members of a workload. */
export interface ImportedDelivery {
  readonly argv?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly secrets?: readonly object[];
}

/** Of a session's secrets only those of a vault can be named in a manifest: the others are made by a CAS. */
export function importDelivery(
  session: SconeSession,
  service: SconeService,
  at: readonly PathStep[],
  report: ImportReport,
): ImportedDelivery {
  const vaulted = new Map(session.secrets.flatMap((secret) => vaultObject(secret)));
  const secrets: object[] = [];
  const argv = importCommand(service, at, vaulted, secrets, report);
  const env: Record<string, string> = {};
  for (const [name, value] of service.environment) {
    const path = [...at, 'environment', value === undefined ? `\\@\\@${name}` : name];
    const whole = wholePlaceholder(value);
    const object = whole && plain(whole) ? vaulted.get(whole.name) : undefined;
    if (value === undefined)
      report.mapped(path, 'left out: the host gives it, and nothing here keeps it from that');
    else if (!FORMATS.envName.pattern.test(name))
      report.unsupported(path, 'no name of an environment variable in a manifest');
    else if (object) {
      secrets.push({ ...object, objectAlias: name, as: 'env' });
      report.mapped(path, 'a secret of a vault');
    } else if (value.includes('$$SCONE::'))
      report.unsupported(path, 'made of secrets of the session; keep it with the CAS façade, or in a vault');
    else {
      env[name] = value;
      report.mapped(path, 'env; plain text that everybody may read who reads the manifest');
    }
  }
  importFiles(session, service, at, vaulted, secrets, report);
  return {
    ...(argv === undefined ? {} : { argv }),
    ...(Object.keys(env).length > 0 ? { env } : {}),
    ...(secrets.length > 0 ? { secrets } : {}),
  };
}

/** Formats in which a text of a vault is the text that the session meant. */
const plain = ({ format, escapeJson }: Placeholder): boolean => format === '' && !escapeJson;

function vaultObject({ name, kind, importAkv }: SconeSecret): [string, object][] {
  if (!importAkv || importAkv.decryptionKey !== undefined || (kind !== undefined && kind !== 'ascii'))
    return [];
  const vault = vaultName(importAkv.vault);
  if (vault === undefined || !FORMATS.objectName.pattern.test(importAkv.secretName)) return [];
  return [[name, { vault, objectName: importAkv.secretName, objectType: 'secret' }]];
}

/** The first label of the vault's host is its name in Azure, and a good one for a deployment. */
export function vaultName(address: string): string | undefined {
  const host = address.replace(/^https:\/\//, '').replace(/[:/].*$/, '');
  const label = host.split('.')[0]?.toLowerCase() ?? '';
  return FORMATS.name.pattern.test(label) ? label : undefined;
}

function importCommand(
  { command }: SconeService,
  at: readonly PathStep[],
  vaulted: ReadonlyMap<string, object>,
  secrets: object[],
  report: ImportReport,
): string[] | undefined {
  if (command === undefined) return undefined;
  const path = [...at, 'command'];
  if (hostArguments(command).length > 0) {
    report.unsupported(path, 'takes arguments of the host, which the manifest does not let through');
    return undefined;
  }
  const aliases = new Set<string>();
  let open = false;
  // A placeholder with a space in it is whole in the command and broken in its words.
  if (!command.every(isTemplate)) {
    report.unsupported(path, 'has a placeholder that is cut at a space');
    return undefined;
  }
  const argv = command.map((word) =>
    parseTemplate(word)
      .map((part) => {
        if (part.kind === 'text') return part.text.replaceAll('$', '$$$$');
        if (!vaulted.has(part.name) || !plain(part)) open = true;
        aliases.add(part.name);
        return `$(${part.name})`;
      })
      .join(''),
  );
  if (open) {
    report.unsupported(path, 'made of secrets of the session; keep it with the CAS façade, or in a vault');
    return undefined;
  }
  for (const alias of aliases) secrets.push({ ...vaulted.get(alias), objectAlias: alias, as: 'argv' });
  report.mapped(path, 'argv');
  return argv;
}

function importFiles(
  { images }: SconeSession,
  { imageName }: SconeService,
  at: readonly PathStep[],
  vaulted: ReadonlyMap<string, object>,
  secrets: object[],
  report: ImportReport,
): void {
  const index = images.findIndex(({ name }) => name === imageName);
  const image = images[index];
  if (imageName !== undefined) report.mapped([...at, 'image_name'], 'its files are files of the workload');
  for (const [number, { path, content, permission }] of image?.files.entries() ?? []) {
    const where = ['images', index, 'injection_files', number];
    const whole = wholePlaceholder(content);
    const object = whole && plain(whole) ? vaulted.get(whole.name) : undefined;
    const mode = `0${permission.toString(8).padStart(3, '0')}`;
    if (object && FORMATS.path.pattern.test(path)) {
      secrets.push({ ...object, objectAlias: `file-${number}`, as: 'file', path, mode });
      report.mapped(where, 'a secret of a vault');
    } else if (content === undefined)
      report.unsupported(where, "a template on the image's disk, which only SCONE's runtime fills in");
    else
      report.unsupported(
        where,
        'a manifest has no files but secrets; keep it with the CAS façade, or put the content into a vault',
      );
  }
}

function isTemplate(word: string): boolean {
  try {
    parseTemplate(word);
    return true;
  } catch (error) {
    if (error instanceof PlaceholderError) return false;
    throw error;
  }
}
