import { readDocument } from '../document/read-document.js';
import type { LocatedDocument } from '../document/located.js';
import { Fields, SessionSource } from './fields.js';
import { SCONE_SESSION_LIMITS } from './model.js';
import type { SconeSession, SessionFault } from './model.js';
import { readAccess } from './read-access.js';
import { readImages } from './read-image.js';
import { readSecrets } from './read-secret.js';
import { readSecurity } from './read-security.js';
import { readServices } from './read-service.js';
import { spliceFragments } from './splice-fragments.js';

export interface ReadSession {
  readonly session: SconeSession;
  readonly document: LocatedDocument;
  /** What the language does not allow; empty for a session that is in order. */
  readonly faults: readonly SessionFault[];
}

export type SessionResult =
  ({ readonly ok: true } & ReadSession) | { readonly ok: false; readonly faults: readonly SessionFault[] };

/** Segments of names joined by `/`; the whole at most 512 characters since 5.9. */
export const SESSION_NAME = /^(?=.{1,512}$)[A-Za-z0-9_\-.~]{1,128}(?:\/[A-Za-z0-9_\-.~]{1,128})*$/;
export const HASH = /^[0-9a-f]{64}$/;
const TAGS = ['!akv', '!cas'];

/**
 * Reads a session of SCONE's language 0.3. `ok: false` only for what is no YAML or no mapping; everything else that is wrong is a fault
 * beside what could be read. Never throws.
 */
export function readSession(text: string): SessionResult {
  const read = readDocument(text, { tags: TAGS, lexemes: SCONE_SESSION_LIMITS.lexemes });
  if (!read.ok) {
    return {
      ok: false,
      faults: read.problems.map(({ path, line, message }) => ({ path, message: `line ${line}: ${message}` })),
    };
  }
  const source = new SessionSource(read.document);
  const fields = Fields.of(spliceFragments(read.document), [], source);
  if (!fields) return { ok: false, faults: source.faults };
  return { ok: true, session: readMembers(fields), document: read.document, faults: source.faults };
}

function readMembers(fields: Fields): SconeSession {
  const predecessor = fields.matching('predecessor', HASH, '64 hexadecimal digits in lower case');
  const namespaceHash = fields.matching('namespace_hash', HASH, '64 hexadecimal digits in lower case');
  const salt = fields.matching('salt', /^[0-9a-f]{32}$/i, '32 hexadecimal digits');
  if (predecessor !== undefined && namespaceHash !== undefined)
    fields.fault('namespace_hash', 'excludes "predecessor"');
  if (fields.has('creator')) fields.fault('creator', 'is filled in by the CAS alone');
  // What these hold concerns the runtime's file system, or where the CAS keeps secrets: an importer says so.
  fields.raw('volumes');
  fields.raw('secret_config');
  const session: SconeSession = {
    name: readName(fields),
    version: readVersion(fields),
    ...(predecessor === undefined ? {} : { predecessor }),
    ...(namespaceHash === undefined ? {} : { namespaceHash }),
    ...(salt === undefined ? {} : { salt }),
    access: readAccess(fields),
    services: readServices(fields),
    secrets: readSecrets(fields),
    images: readImages(fields),
    security: readSecurity(fields),
  };
  checkServices(session, fields);
  fields.end();
  return session;
}

function readName(fields: Fields): string {
  const name = fields.required('name');
  if (name !== '' && name !== '/' && !SESSION_NAME.test(name))
    fields.fault('name', 'has segments of 1 to 128 letters, digits, "_", "-", "." and "~", joined by "/"');
  return name;
}

/** Absent means 0.1, another language; unquoted `0.3` is a number to YAML and meant as text. */
function readVersion(fields: Fields): string {
  const version = fields.text('version');
  if (version === undefined) {
    fields.fault('version', 'is missing, which means version 0.1; only 0.3 is read');
    return '0.1';
  }
  if (!/^0\.3(?:\.(?:[1-9]|1[0-2]))?$/.test(version)) fields.fault('version', 'is none of 0.3 to 0.3.12');
  return version;
}

/** Rules between the parts. */
function checkServices({ services, security, secrets, images }: SconeSession, fields: Fields): void {
  duplicates(services, fields, 'services');
  duplicates(secrets, fields, 'secrets');
  duplicates(images, fields, 'images');
  for (const [index, service] of services.entries()) {
    const at = [...fields.at('services'), index];
    if (service.variants.length + service.variantReferences.length === 0 && security.mode !== 'none')
      fields.source.fault(at, 'names no enclave in "attestation" or "mrenclaves"');
    const { imageName } = service;
    if (imageName !== undefined && !images.some(({ name }) => name === imageName))
      fields.source.fault([...at, 'image_name'], 'is no image of this session');
  }
}

function duplicates(named: readonly { readonly name: string }[], fields: Fields, key: string): void {
  const seen = new Set<string>();
  for (const [index, { name }] of named.entries()) {
    if (seen.has(name)) fields.source.fault([...fields.at(key), index, 'name'], 'stands there twice');
    seen.add(name);
  }
}
