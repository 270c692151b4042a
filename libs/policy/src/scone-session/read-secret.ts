import { Fields, isMembers } from './fields.js';
import { quoted } from '../problem.js';
import { validForSeconds } from './text/valid-for.js';
import { wholePlaceholder } from './text/placeholder.js';
import {
  type AadCredential,
  KEY_TYPES,
  SECRET_KINDS,
  type SconeExport,
  type SconeImport,
  type SconeSecret,
} from './model.js';

/** Not documented; what every example keeps to. A placeholder could not name anything else. */
const SECRET_NAME = /^[A-Za-z0-9_-]{1,128}$/;
const MAX_SIZE = 65_536;
const RESERVED_CLAIMS = ['iat', 'nbf', 'exp'];

export function readSecrets(session: Fields): SconeSecret[] {
  return session.mappings('secrets').map(readSecret);
}

function readSecret(fields: Fields): SconeSecret {
  const name = fields.required('name');
  if (name !== '' && !SECRET_NAME.test(name))
    fields.fault('name', 'is no name of letters, digits, "_" and "-"');
  const kind = fields.oneOf('kind', SECRET_KINDS);
  const importFrom = fields.has('import') ? readImport(fields) : undefined;
  const importAkv = fields.has('import_akv') ? readAkv(fields) : undefined;
  if (!fields.has('kind') && !fields.has('import') && !fields.has('import_akv'))
    fields.fault('kind', 'is missing');
  const validFor = fields.text('valid_for');
  const seconds = validFor === undefined ? undefined : validForSeconds(validFor);
  if (validFor !== undefined && seconds === undefined)
    fields.fault('valid_for', `${quoted(validFor)} is no duration as "90 days" or "1 year"`);
  const value = kind === 'config-fragment' ? fields.raw('value') : fields.text('value');
  const size = fields.number('size', MAX_SIZE);
  const endpoint = fields.oneOf('endpoint', ['server', 'client']);
  const san = [...readDns(fields, endpoint), ...readSan(fields)];
  const secret: SconeSecret = {
    name,
    ...defined({
      kind,
      size,
      value,
      keyType: fields.oneOf('key_type', KEY_TYPES),
      privateKey: kind === 'aad-token' ? undefined : nameOf(fields, 'private_key'),
      issuer: nameOf(fields, 'issuer'),
      signer: nameOf(fields, 'signer'),
      commonName: fields.text('common_name'),
      endpoint,
      validForSeconds: kind === 'jwt' ? readJwtRest(fields) : seconds,
      payload: kind === 'jwt' ? readPayload(fields) : undefined,
      import: importFrom,
      importAkv,
      aadToken: kind === 'aad-token' && !importFrom ? readAadToken(fields) : undefined,
    }),
    migrate: fields.flag('migrate'),
    san,
    exportPublic: fields.flag('export_public'),
    exports: readExports(fields),
  };
  if (kind === 'public-key' && secret.privateKey === undefined && value === undefined && !importFrom)
    fields.fault('private_key', 'is missing');
  fields.end();
  return secret;
}

/** A secret named plainly or as `$$SCONE::name$$`. */
function nameOf(fields: Fields, key: string): string | undefined {
  const text = fields.text(key);
  const name = wholePlaceholder(text)?.name ?? text;
  if (name === undefined || SECRET_NAME.test(name)) return name;
  return fields.fault(key, 'is no name of a secret');
}

/** The older form of `san`, for servers only. */
function readDns(fields: Fields, endpoint: string | undefined): string[] {
  const names = fields.texts('dns');
  if (names.length > 0 && endpoint === 'client') fields.fault('dns', 'does not go with endpoint: client');
  return names.map((name) => `dns:${name}`);
}

function readSan(fields: Fields): string[] {
  const names = fields.texts('san');
  for (const name of names)
    if (!/^(?:dns|ip):.{1,253}$/.test(name)) fields.fault('san', `${quoted(name)} is neither dns:… nor ip:…`);
  return names;
}

function readPayload(fields: Fields): ReadonlyMap<string, string> {
  const claims = new Map<string, string>();
  if (!fields.has('payload')) return claims;
  const members = Fields.of(fields.raw('payload'), fields.at('payload'), fields.source);
  for (const [claim, value] of members?.entries() ?? []) {
    const path = [...fields.at('payload'), claim];
    if (RESERVED_CLAIMS.includes(claim)) fields.source.fault(path, 'is set by the CAS');
    else if (typeof value !== 'string') fields.source.fault(path, 'is no text');
    else if (value.includes('$$SCONE::') && !wholePlaceholder(value))
      fields.source.fault(path, 'a placeholder must be the whole value');
    else claims.set(claim, value);
  }
  return claims;
}

/** Seconds that a token is valid. */
function readJwtRest(fields: Fields): number | undefined {
  fields.oneOf('alg', ['ES384']);
  if (!fields.has('signer')) fields.fault('signer', 'is missing');
  if (!fields.has('validity')) return undefined;
  const validity = Fields.of(fields.raw('validity'), fields.at('validity'), fields.source);
  const text = validity?.text('for');
  const seconds = text === undefined ? undefined : validForSeconds(text);
  if (validity && seconds === undefined) validity.fault('for', 'is no duration as "24h"');
  validity?.end();
  return seconds;
}

const EXPORT_KEYS = ['session', 'session_hash', 'namespace', 'cas_url', 'cas_key', 'cas_software_key'];

/** One export or several, as mappings or in the short form `/session=A,session_hash=H`. */
function readExports(fields: Fields): SconeExport[] {
  return fields.list('export').flatMap(([path, value]): SconeExport[] => {
    const given = typeof value === 'string' ? shortForm(value) : isMembers(value) ? value : undefined;
    const texts = given && Object.entries(given).filter(([, text]) => typeof text === 'string');
    const unknown = Object.keys(given ?? {}).filter((key) => !EXPORT_KEYS.includes(key));
    if (!given || !texts || unknown.length > 0 || texts.length !== Object.keys(given).length)
      return fields.source.fault(path, 'is no export to a session or namespace') ?? [];
    const { session, session_hash: sessionHash, namespace } = given as Record<string, string | undefined>;
    if ((session === undefined) === (namespace === undefined))
      return fields.source.fault(path, 'names a session or a namespace, one of them') ?? [];
    const foreign = texts.some(([key]) => key.startsWith('cas_'));
    return [{ ...defined({ session, sessionHash, namespace }), foreign }];
  });
}

function shortForm(text: string): Record<string, string> | undefined {
  const slash = text.indexOf('/');
  if (slash === -1) return undefined;
  const members: Record<string, string> = slash === 0 ? {} : { cas_url: text.slice(0, slash) };
  for (const pair of text.slice(slash + 1).split(',')) {
    const [, key = '', value = ''] = /^([a-z_]+)=(.+)$/.exec(pair) ?? [];
    if (key === '') return undefined;
    members[key] = value;
  }
  return members;
}

function readImport(fields: Fields): SconeImport | undefined {
  const members = Fields.of(fields.raw('import'), fields.at('import'), fields.source);
  if (!members) return undefined;
  const session = members.required('session');
  const secret = members.text('secret') ?? fields.text('name') ?? '';
  const sessionHash = members.matching('session_hash', /^[0-9a-f]{64}$/, '64 hexadecimal digits');
  const foreign = ['cas_url', 'cas_key', 'cas_software_key'].filter((key) => members.has(key)).length > 0;
  members.end();
  return { session, secret, foreign, ...defined({ sessionHash }) };
}

function readAkv(fields: Fields): SconeSecret['importAkv'] {
  const members = Fields.of(fields.raw('import_akv'), fields.at('import_akv'), fields.source);
  if (!members) return undefined;
  const vault = members.required('vault');
  const secretName = members.text('secret_name') ?? fields.text('name') ?? '';
  const token = nameOf(members, 'token');
  const decryptionKey = nameOf(members, 'decryption_key');
  members.end();
  return { vault, secretName, ...defined({ token, decryptionKey }) };
}

const THUMBPRINT = /^(?:[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})$/;

function readAadToken(fields: Fields): AadCredential {
  const tenantId = fields.required('tenant_id');
  const clientId = fields.required('client_id');
  const applicationSecret = fields.text('application_secret');
  const key = fields.text('private_key');
  const thumbprint = fields.text('certificate_thumbprint')?.replaceAll(':', '');
  if (thumbprint !== undefined && !THUMBPRINT.test(thumbprint))
    fields.fault('certificate_thumbprint', 'is no thumbprint of 40 or 64 hexadecimal digits');
  const byCertificate = key !== undefined && thumbprint !== undefined;
  const ways = [applicationSecret !== undefined, key !== undefined || thumbprint !== undefined];
  if (ways[0] === ways[1] || (ways[1] && !byCertificate))
    fields.fault('application_secret', 'either this is given, or private_key and certificate_thumbprint are');
  const certificate = byCertificate
    ? { privateKey: wholePlaceholder(key)?.name ?? key, thumbprint: thumbprint.toLowerCase() }
    : undefined;
  return { tenantId, clientId, ...defined({ applicationSecret, certificate }) };
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };
function defined<T extends object>(members: T): Defined<T> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Defined<T>;
}
