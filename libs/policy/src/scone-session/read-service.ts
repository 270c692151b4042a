import { Fields, isMembers } from './fields.js';
import { quoted } from '../problem.js';
import { hostArguments, splitCommand } from './text/command.js';
import { parseTemplate, PlaceholderError, wholePlaceholder } from './text/placeholder.js';
import type { AttestationVariant, SconeService } from './model.js';

const HEX_32 = /^[0-9a-f]{64}$/i;
const SVN = 65_535;

export function readServices(session: Fields): SconeService[] {
  return session.mappings('services').map(readService);
}

function readService(fields: Fields): SconeService {
  const name = fields.required('name');
  const imageName = fields.text('image_name');
  const command = readCommand(fields);
  const pwd = fields.text('pwd');
  const { variants, references } = readVariants(fields);
  const otp = fields.text('one_time_password_shared_secret');
  // Keys and tags of the runtime's file system: nothing of them is read here.
  for (const key of ['fspf_path', 'fspf_key', 'fspf_tag', 'fspf_update_policy']) fields.raw(key);
  const service: SconeService = {
    name,
    ...(imageName === undefined ? {} : { imageName }),
    ...(command === undefined ? {} : { command }),
    environment: readEnvironment(fields),
    ...(pwd === undefined ? {} : { pwd }),
    variants,
    variantReferences: references,
    platforms: fields.texts('platforms'),
    ...(otp === undefined ? {} : { otpSharedSecret: otp }),
  };
  fields.end();
  return service;
}

function readCommand(fields: Fields): readonly string[] | undefined {
  if (!fields.has('command')) return undefined;
  const value = fields.raw('command');
  const words = Array.isArray(value) ? fields.texts('command') : splitCommand(fields.text('command') ?? '');
  if (words === undefined) return fields.fault('command', 'has a quote without an end');
  if (words.some((word) => word.includes('\0'))) fields.fault('command', 'holds a NUL');
  const host = hostArguments(words);
  if (new Set(host).size !== host.length) fields.fault('command', 'takes an argument of the host twice');
  words.forEach((word) => checkTemplate(word, fields, 'command'));
  return words;
}

function readEnvironment(fields: Fields): ReadonlyMap<string, string | undefined> {
  const variables = new Map<string, string | undefined>();
  if (!fields.has('environment')) return variables;
  const members = Fields.of(fields.raw('environment'), fields.at('environment'), fields.source);
  for (const [key, value] of members?.entries() ?? []) {
    const path = [...fields.at('environment'), key];
    // `\@\@NAME`: the host's own value; a backslash is a character like any other in plain YAML.
    const fromHost = /^(?:\\?@){2}(.+)$/.exec(key)?.[1];
    if ((fromHost ?? key).includes('=') || (fromHost ?? key) === '')
      fields.source.fault(path, 'is no name of an environment variable');
    const text = value === null ? '' : fields.source.scalar(path, value);
    if (fromHost === undefined && text === undefined) fields.source.fault(path, 'is no text');
    variables.set(fromHost ?? key, fromHost === undefined ? (text ?? '') : undefined);
    if (fromHost === undefined && text !== undefined) checkTemplate(text, fields, 'environment');
  }
  return variables;
}

export function checkTemplate(text: string, fields: Fields, key: string): void {
  try {
    parseTemplate(text);
  } catch (error) {
    if (!(error instanceof PlaceholderError)) throw error;
    fields.fault(key, error.message);
  }
}

/** `attestation`, one variant or a list of which one must hold, and the older `mrenclaves`. */
function readVariants(fields: Fields): { variants: AttestationVariant[]; references: string[] } {
  const references: string[] = [];
  const variants: AttestationVariant[] = [];
  for (const [path, value] of fields.list('attestation')) {
    const reference = wholePlaceholder(value);
    if (reference) references.push(reference.name);
    else {
      const variant = Fields.of(value, path, fields.source);
      if (variant) variants.push(...readVariant(variant, references));
    }
  }
  const older = measurements(fields, 'mrenclaves', references);
  if (older.length > 0) variants.push({ mrenclave: older });
  return { variants, references };
}

function readVariant(fields: Fields, references: string[]): AttestationVariant[] {
  const before = references.length;
  const mrenclave = measurements(fields, 'mrenclave', references);
  const named = fields.has('mrenclave');
  const signer = fields.has('signer')
    ? Fields.of(fields.raw('signer'), fields.at('signer'), fields.source)
    : undefined;
  const read = signer && readSigner(signer);
  const unread = fields.has('signer') && read === undefined;
  fields.end();
  if (!named && !fields.has('signer'))
    return fields.source.fault(fields.path, 'names neither mrenclave nor signer') ?? [];
  // A part that could not be read must not fall away from what is to hold together.
  if (unread || (named && mrenclave.length === 0 && references.length === before)) return [];
  if (named && mrenclave.length === 0) return [];
  return [{ ...(named ? { mrenclave } : {}), ...(read ? { signer: read } : {}) }];
}

function readSigner(fields: Fields): AttestationVariant['signer'] {
  const mrsigner = fields.matching('mrsigner', HEX_32, '64 hexadecimal digits');
  const isvprodid = fields.number('isvprodid', SVN);
  const exactly = fields.number('isvsvn', SVN);
  const least = fields.number('isvsvn_min', SVN);
  const most = fields.number('isvsvn_max', SVN);
  const before = fields.source.faults.length;
  fields.end();
  if (exactly !== undefined && (least !== undefined || most !== undefined))
    return fields.fault('isvsvn', 'excludes isvsvn_min and isvsvn_max');
  if (least !== undefined && most !== undefined && least > most)
    return fields.fault('isvsvn_min', 'is above isvsvn_max');
  if (mrsigner === undefined || fields.source.faults.length > before) {
    if (!fields.has('mrsigner')) fields.fault('mrsigner', 'is missing');
    return undefined;
  }
  for (const key of ['isvprodid', 'isvsvn', 'isvsvn_min', 'isvsvn_max'])
    if (fields.has(key) && fields.number(key, SVN) === undefined) return undefined;
  const floor = exactly ?? least;
  const ceiling = exactly ?? most;
  return {
    mrsigner: mrsigner.toLowerCase(),
    ...(isvprodid === undefined ? {} : { isvprodid }),
    ...(floor === undefined ? {} : { least: floor }),
    ...(ceiling === undefined ? {} : { most: ceiling }),
  };
}

function measurements(fields: Fields, key: string, references: string[]): string[] {
  return fields.list(key).flatMap(([path, value]) => {
    const reference = wholePlaceholder(value);
    if (reference) {
      references.push(reference.name);
      return [];
    }
    const text = isMembers(value) ? undefined : fields.source.scalar(path, value);
    if (text !== undefined && HEX_32.test(text)) return [text.toLowerCase()];
    return fields.source.fault(path, `${quoted(value)} is no measurement of 64 hexadecimal digits`) ?? [];
  });
}
