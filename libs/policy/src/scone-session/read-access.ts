import { Fields, isMembers, type SessionSource } from './fields.js';
import type { PathStep } from '../problem.js';
import { keyHashBytes } from './text/key-hash.js';
import { wholePlaceholder } from './text/placeholder.js';
import type { AccessPolicy, AccessRight, Principal } from './model.js';

export const ACCESS_RIGHTS: readonly AccessRight[] = ['read', 'update', 'create_sessions', 'list_sessions'];
const MAX_DEPTH = 8;
const PEM_CERTIFICATE = /^-----BEGIN CERTIFICATE-----[\s\S]+-----END CERTIFICATE-----\s*$/;
const PEM_KEY = /^-----BEGIN PUBLIC KEY-----[\s\S]+-----END PUBLIC KEY-----\s*$/;

export function readAccess(session: Fields): AccessPolicy {
  const value = session.raw('access_policy');
  if (value === undefined) return {};
  const reference = wholePlaceholder(value);
  if (reference) return { reference };
  const fields = Fields.of(value, session.at('access_policy'), session.source);
  if (!fields) return {};
  const rights: Partial<Record<AccessRight, readonly Principal[]>> = {};
  for (const right of ACCESS_RIGHTS) {
    if (!fields.has(right)) continue;
    const list = fields.list(right);
    const principals = list.flatMap(([path, one]) => readPrincipal(one, path, right, fields.source, 0));
    const alone = principals.some(({ kind }) => kind === 'any' || kind === 'none');
    if (alone && list.length > 1) fields.fault(right, 'has ANY or NONE beside others');
    // What cannot be read lets nobody in.
    rights[right] = alone && list.length > 1 ? [{ kind: 'none' }] : principals;
  }
  fields.end();
  return rights;
}

function readPrincipal(
  value: unknown,
  path: readonly PathStep[],
  right: AccessRight,
  source: SessionSource,
  depth: number,
): Principal[] {
  if (depth > MAX_DEPTH) return source.fault(path, 'is nested too deep') ?? [];
  if (typeof value === 'string') return readNamed(value, path, source);
  const [[key, inner] = ['', undefined], ...more] = isMembers(value) ? Object.entries(value) : [];
  if (more.length > 0 || key === '') return source.fault(path, 'is no principal') ?? [];
  const administrative = right === 'update' || right === 'create_sessions';
  if (key === 'signer') {
    if (!administrative) return source.fault(path, 'signers cannot read or list') ?? [];
    if (typeof inner === 'string' && PEM_KEY.test(inner)) return [{ kind: 'signer', value: inner }];
    return source.fault(path, 'a signer is a public key in PEM') ?? [];
  }
  const least = key === 'require-all' ? -1 : Number(/^require-at-least-([1-9][0-9]{0,2})$/.exec(key)?.[1]);
  if (Number.isNaN(least) || !Array.isArray(inner)) return source.fault(path, 'is no principal') ?? [];
  if (!administrative) return source.fault(path, 'quorums are for update and create_sessions') ?? [];
  const of = inner.flatMap((one: unknown, index) =>
    readPrincipal(one, [...path, key, index], right, source, depth + 1),
  );
  // An entry that was not understood still counts as one whose consent is needed.
  return [{ kind: 'threshold', least: least === -1 ? inner.length : least, of }];
}

function readNamed(text: string, path: readonly PathStep[], source: SessionSource): Principal[] {
  if (text === 'CREATOR') return [{ kind: 'creator' }];
  if (text === 'ANY') return [{ kind: 'any' }];
  if (text === 'NONE') return [{ kind: 'none' }];
  if (PEM_CERTIFICATE.test(text.trim())) return [{ kind: 'certificate', value: text.trim() }];
  const reference = wholePlaceholder(text);
  if (reference) return [{ kind: 'reference', secret: reference.name }];
  if (keyHashBytes(text)) return [{ kind: 'key-hash', value: text }];
  return source.fault(path, 'is no certificate, key hash, CREATOR, ANY, NONE or secret') ?? [];
}
