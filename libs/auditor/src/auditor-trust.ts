import type { TrustFile } from '#contracts';
import {
  NOTE_COSIGNATURE,
  type NoteVerifier,
  cosignatureVerifier,
  parseVerifierKey,
  TransparencyError,
} from '#transparency';
import { type JsonWebKey, type KeyObject, createPublicKey } from 'node:crypto';
import { LogKeys } from './log-keys.js';

/** The keys that an auditor of one log believes; everything else is evidence. */
export interface AuditorTrust {
  origin: string;
  /** The pinned key of the log and what follows it; grows as successions are learned. */
  keys: LogKeys;
  /** By key id: whose signature it is. */
  emitters: ReadonlyMap<string, { name: string; key: KeyObject }>;
  /** Witnesses that must have cosigned a checkpoint for it to count. */
  witnesses: readonly NoteVerifier[];
  /**
   * Whether this log is the only one of its emitters. They number their events over all tenants, so that only then, or
   * with all logs at hand, a missing number is a missing event.
   */
  onlyLog: boolean;
}

export interface TrustOptions {
  /** Name of the tenant; its log's origin ends in it. Default: the first log. */
  tenant?: string | undefined;
  /** Verifier key of the log from another source, instead of the trust file's. */
  logKey?: string | undefined;
  /** Verifier keys of witnesses that must have cosigned. */
  witnesses?: readonly string[] | undefined;
}

/** @throws TransparencyError KEY_MALFORMED if the trust file has no such log or a key is not one */
export function auditorTrust(file: TrustFile, options: TrustOptions = {}): AuditorTrust {
  const { tenant, logKey } = options;
  const given = logKey === undefined ? undefined : parseVerifierKey(logKey);
  const listed = file.logs.find(({ origin }) =>
    given ? origin === given.name : tenant === undefined || origin.split('/').at(-1) === tenant,
  );
  const origin = given?.name ?? listed?.origin;
  if (origin === undefined)
    throw new TransparencyError('KEY_MALFORMED', `the trust file has no log of the tenant ${tenant}`);
  const publicKey = given?.publicKey ?? imported(listed!.jwk);
  return {
    origin,
    keys: new LogKeys(origin, publicKey),
    emitters: new Map(file.emitters.map(({ name, jwk }) => [jwk.kid, { name, key: imported(jwk) }])),
    witnesses: (options.witnesses ?? []).map(witnessVerifier),
    onlyLog: new Set(file.logs.map(({ origin: each }) => each)).size === 1,
  };
}

/** @throws TransparencyError KEY_MALFORMED */
export function witnessVerifier(vkey: string): NoteVerifier {
  const { name, type, publicKey } = parseVerifierKey(vkey);
  if (type !== NOTE_COSIGNATURE)
    throw new TransparencyError('KEY_MALFORMED', `${name}: not the key of a witness (cosignature/v1)`);
  return cosignatureVerifier(name, publicKey);
}

const imported = (jwk: object): KeyObject => createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
