import { MAX_EVIDENCE_BYTES } from '#contracts';
import { MAX_MAA_POLICY_CHARACTERS } from '#policy';
import type { AttestationKind } from './attestation-kind.js';
import { MaaError } from './maa-error.js';

/** Largest body, in bytes: evidence, runtime data and a draft policy in base64. */
export const MAX_BODY_BYTES = 384 * 1024;
export const MAX_HELD_BYTES = 64 * 1024;
const MAX_NONCE_CHARACTERS = 512;
const MAX_DEPTH = 16;

/** Data that the caller says the evidence binds. */
export interface HeldData {
  readonly bytes: Buffer;
  /** Its value, where the caller calls it JSON. */
  readonly json?: unknown;
}

export interface AttestRequest {
  readonly evidence: Buffer;
  readonly runtime?: HeldData;
  readonly initTime?: HeldData;
  /** Digits where the caller sent a number (which need not fit into a double). */
  readonly nonce?: string;
  readonly draftPolicy?: string;
}

/**
 * Reads a body as the clients send it: base64 of either alphabet, with or without padding; members that are not known are ignored.
 * @throws MaaError InvalidParameter
 */
export function readAttestRequest(kind: AttestationKind, body: Uint8Array): AttestRequest {
  const { members, text } = objectOf(body);
  const name = kind === 'OpenEnclave' ? 'report' : 'quote';
  const evidence = bytesOf(members[name], name, MAX_EVIDENCE_BYTES);
  if (evidence.length === 0) throw MaaError.invalid(`The ${name} is empty.`, 'EVIDENCE_EMPTY');
  const runtime = heldData(members['runtimeData'], 'runtimeData');
  const initTime = heldData(members['initTimeData'], 'initTimeData');
  const nonce = nonceOf(members['nonce'], text);
  const draftPolicy = draftOf(members['draftPolicyForAttestation']);
  return {
    evidence,
    ...(runtime === undefined ? {} : { runtime }),
    ...(initTime === undefined ? {} : { initTime }),
    ...(nonce === undefined ? {} : { nonce }),
    ...(draftPolicy === undefined ? {} : { draftPolicy }),
  };
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

function objectOf(body: Uint8Array): { members: Record<string, unknown>; text: string } {
  if (body.length > MAX_BODY_BYTES) throw MaaError.invalid('The body is too large.', 'REQUEST_TOO_LARGE');
  let value: unknown;
  let text: string;
  try {
    text = UTF8.decode(body);
    value = JSON.parse(text);
  } catch {
    throw MaaError.invalid('The body is not JSON.', 'REQUEST_MALFORMED');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw MaaError.invalid('The body is not a JSON object.', 'REQUEST_MALFORMED');
  return { members: value as Record<string, unknown>, text };
}

function bytesOf(value: unknown, name: string, limit: number): Buffer {
  if (typeof value !== 'string') throw MaaError.invalid(`${name} is missing.`, 'REQUEST_MALFORMED');
  const text = value.replace(/={1,2}$/, '');
  if (!/^(?:[A-Za-z0-9_-]*|[A-Za-z0-9+/]*)$/.test(text) || text.length % 4 === 1)
    throw MaaError.invalid(`${name} is not base64.`, 'REQUEST_MALFORMED');
  if (text.length > Math.ceil((limit * 4) / 3))
    throw MaaError.invalid(`${name} is larger than ${limit} bytes.`, 'REQUEST_TOO_LARGE');
  return Buffer.from(text, 'base64');
}

/** Absent, null, and the empty object of Microsoft's sidecar all mean none. */
function heldData(value: unknown, name: string): HeldData | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'object') throw MaaError.invalid(`${name} is not an object.`, 'REQUEST_MALFORMED');
  const { data, dataType } = value as Record<string, unknown>;
  if (data === undefined || data === null || data === '') return undefined;
  const bytes = bytesOf(data, `${name}.data`, MAX_HELD_BYTES);
  if (dataType === undefined || dataType === 'Binary') return { bytes };
  if (dataType !== 'JSON')
    throw MaaError.invalid(`${name}.dataType is neither JSON nor Binary.`, 'REQUEST_MALFORMED');
  let json: unknown;
  try {
    json = JSON.parse(UTF8.decode(bytes));
  } catch {
    throw MaaError.invalid(`${name}.data is not JSON, as its dataType says.`, 'REQUEST_MALFORMED');
  }
  if (typeof json !== 'object' || json === null || !isShallow(json, MAX_DEPTH))
    throw MaaError.invalid(
      `${name}.data is no JSON object of at most ${MAX_DEPTH} levels.`,
      'REQUEST_MALFORMED',
    );
  return { bytes, json };
}

/** By levels, not by recursion: the data is the caller's. */
function isShallow(value: object, depth: number): boolean {
  let level: object[] = [value];
  for (let left = depth; level.length > 0; left--) {
    if (left === 0) return false;
    level = level.flatMap((each) =>
      Object.values(each).filter((inner): inner is object => typeof inner === 'object' && inner !== null),
    );
  }
  return true;
}

/** Microsoft's sidecar sends a number of 64 bits: its digits are taken from the text, where a double would round them. */
function nonceOf(value: unknown, text: string): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value === 'string' && value.length <= MAX_NONCE_CHARACTERS) return value;
  if (Number.isSafeInteger(value)) return String(value);
  if (typeof value === 'number')
    for (const [, digits = ''] of text.matchAll(/"nonce"\s{0,16}:\s{0,16}(\d{1,40})/g))
      if (Number(digits) === value) return digits;
  throw MaaError.invalid('nonce is neither an integer nor a short string.', 'REQUEST_MALFORMED');
}

/** As text, or as the JWS in which policies are stored. */
function draftOf(value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string' || value.length > 2 * MAX_MAA_POLICY_CHARACTERS)
    throw MaaError.invalid('draftPolicyForAttestation is not a policy text.', 'REQUEST_MALFORMED');
  const payload = /^[\w-]+\.([\w-]+)\.[\w-]*$/.exec(value)?.[1];
  if (payload === undefined) return value;
  try {
    const stored = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as {
      AttestationPolicy?: unknown;
    };
    if (typeof stored.AttestationPolicy === 'string')
      return Buffer.from(stored.AttestationPolicy, 'base64url').toString('utf8');
  } catch {
    // Not a stored policy: refused below.
  }
  throw MaaError.invalid(
    'draftPolicyForAttestation is a JWS without AttestationPolicy.',
    'REQUEST_MALFORMED',
  );
}
