import { createHash, timingSafeEqual, type KeyObject } from 'node:crypto';
import type { Members } from './compact-token.js';
import { RelyingPartyError } from './errors.js';
import type { AttestedFacts, TokenKind } from './facts.js';
import { thumbprintOf } from './pinned-keys.js';

/**
 * What binds the token to the peer that shows it: without this it is a bearer token, and whoever copied it is the enclave.
 * - `key`: the peer's public key, whose private half it has proven to hold (TLS, a signature)
 * - `runtimeData`: data of the peer, whose SHA-256 the evidence holds
 * - `reportData`: the 64 bytes themselves, hex
 * - `unchecked`: said out loud, where the caller binds the token by other means
 */
export type Binding =
  | { readonly key: KeyObject | Members }
  | { readonly runtimeData: Uint8Array }
  | { readonly reportData: string }
  | 'unchecked';

const HELD_NAMES = ['x-ms-sgx-ehd', 'maa-ehd', 'aas-ehd'];
const MAX_HELD_CHARACTERS = 96 * 1024;
const MAX_KEYS = 16;

/** @throws RelyingPartyError BINDING_MISMATCH, CLAIM_MISSING */
export function checkTokenBinding(
  kind: TokenKind,
  claims: Members,
  facts: AttestedFacts,
  binding: Binding,
): void {
  if (binding === 'unchecked') return;
  if ('key' in binding) {
    const wanted = thumbprintOf('export' in binding.key ? exported(binding.key as KeyObject) : binding.key);
    if (wanted === undefined)
      throw new RelyingPartyError('REQUIREMENTS_INCOMPLETE', 'The key is no public key.');
    const bound = kind === 'siegel' ? [confirmedKey(claims)] : maaKeys(claims);
    if (!bound.includes(wanted)) throw new RelyingPartyError('BINDING_MISMATCH');
    return;
  }
  const expected =
    'reportData' in binding
      ? Buffer.from(binding.reportData, 'hex')
      : Buffer.concat([createHash('sha256').update(binding.runtimeData).digest(), Buffer.alloc(32)]);
  const actual = Buffer.from(facts.reportData, 'hex');
  if (expected.length !== actual.length || !timingSafeEqual(expected, actual))
    throw new RelyingPartyError('BINDING_MISMATCH');
}

const exported = (key: KeyObject): unknown => {
  try {
    return key.export({ format: 'jwk' });
  } catch {
    return undefined;
  }
};

/** `cnf` of Siegel's tokens (RFC 7800, RFC 9449 §6.1). */
function confirmedKey(claims: Members): string {
  const { jkt } = (claims['cnf'] ?? {}) as Members;
  if (typeof jkt !== 'string') throw new RelyingPartyError('CLAIM_MISSING', 'cnf.jkt.');
  return jkt;
}

/** Keys of the runtime data, which the service has compared with the report data. */
function maaKeys(claims: Members): (string | undefined)[] {
  const held = HELD_NAMES.map((name) => claims[name]).find((value) => typeof value === 'string');
  const sources = [claims['x-ms-runtime'], heldJson(held)];
  const keys = sources.flatMap((source) => {
    const list = (source as { keys?: unknown } | null | undefined)?.keys;
    return Array.isArray(list) ? (list as unknown[]).slice(0, MAX_KEYS) : [];
  });
  if (keys.length === 0) throw new RelyingPartyError('CLAIM_MISSING', 'x-ms-runtime.keys.');
  return keys.map(thumbprintOf);
}

function heldJson(held: unknown): unknown {
  if (typeof held !== 'string' || held.length > MAX_HELD_CHARACTERS) return undefined;
  try {
    return JSON.parse(Buffer.from(held, 'base64url').toString('utf8').replace(/\0+$/, ''));
  } catch {
    return undefined;
  }
}
