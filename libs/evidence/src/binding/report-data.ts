import { createHash, timingSafeEqual } from 'node:crypto';
import { BindingError, isBindingConvention, REPORT_DATA_BYTES } from './convention.js';
import type { BindingConvention, BindingErrorCode, BindingInput } from './convention.js';
import { claimsHoldKey, MAX_CLAIMS_BYTES, readDiceClaims } from '../ra-tls/dice/claims.js';
import type { DiceClaims } from '../ra-tls/dice/claims.js';
import { EvidenceError } from '../ra-tls/evidence-error.js';
import { holdsKey, MAX_RUNTIME_DATA_BYTES, readRuntimeData } from './runtime-data.js';

/** Real keys are far smaller (RSA-16384 is about 2 KiB); this only bounds the hash's work. */
const MAX_SPKI_BYTES = 16 * 1024;
const MIN_NONCE_BYTES = 16;
const MAX_NONCE_BYTES = 64;
const HALF = REPORT_DATA_BYTES / 2;

/** Outcome of {@link checkBinding}; the message is for the operator. */
export type BindingResult = { ok: true } | { ok: false; code: BindingErrorCode; message: string };

/**
 * The 64 bytes that an enclave must put into its report data under a convention.
 *
 * @throws BindingError if the convention is unknown, an input is missing or of an impossible length, or a
 *   challenge is given to a convention that has no room for it.
 */
export function expectedReportData(convention: BindingConvention, input: BindingInput): Buffer {
  const expected = Buffer.alloc(REPORT_DATA_BYTES);
  switch (convention) {
    case 'sha256-spki': {
      sha256(spkiOf(input)).copy(expected, 0);
      const nonce = nonceOf(input);
      if (nonce) sha256(nonce).copy(expected, HALF);
      return expected;
    }
    case 'sha512-spki': {
      const spki = spkiOf(input);
      if (nonceOf(input)) {
        throw new BindingError(
          'CHALLENGE_NOT_BOUND',
          'sha512-spki fills the report data: it has no room for a challenge',
        );
      }
      return createHash('sha512').update(spki).digest();
    }
    case 'sha256-runtime-data': {
      const data = runtimeDataOf(input);
      const content = readRuntimeData(data);
      if (!holdsKey(content, spkiOf(input))) {
        throw new BindingError('KEY_NOT_IN_RUNTIME_DATA', 'the presented key is not in the runtime data');
      }
      const nonce = nonceOf(input);
      if (nonce && !(content.nonce?.length === nonce.length && timingSafeEqual(content.nonce, nonce))) {
        throw new BindingError(
          'CHALLENGE_NOT_BOUND',
          'the runtime data does not repeat the challenge in "nonce"',
        );
      }
      sha256(data).copy(expected, 0);
      return expected;
    }
    case 'dice-claims': {
      const claims = claimsOf(input);
      if (!claimsHoldKey(readClaims(claims), spkiOf(input))) {
        throw new BindingError('KEY_NOT_IN_CLAIMS', 'the presented key is not the one of "pubkey-hash"');
      }
      if (nonceOf(input)) {
        throw new BindingError('CHALLENGE_NOT_BOUND', 'dice-claims has no room for a challenge');
      }
      sha256(claims).copy(expected, 0);
      return expected;
    }
    case 'raw-nonce': {
      const nonce = nonceOf(input);
      if (!nonce) throw new BindingError('BINDING_INPUT_INVALID', 'raw-nonce needs the challenge');
      expected.set(nonce, 0);
      return expected;
    }
    default:
      throw new BindingError('BINDING_UNKNOWN', `no binding convention "${String(convention)}"`);
  }
}

/**
 * Checks report data against a convention, comparing in constant time. Never throws.
 *
 * `CHALLENGE_NOT_BOUND` is told apart from `BINDING_MISMATCH` only where the key itself is bound, so that an
 * operator sees that the enclave is the right one but did not use the challenge.
 */
export function checkBinding(convention: string, reportData: Uint8Array, input: BindingInput): BindingResult {
  if (!isBindingConvention(convention)) {
    return refuse(
      'BINDING_UNKNOWN',
      convention === '' ? 'no binding convention was named' : 'the binding convention is not known',
    );
  }
  if (reportData.length !== REPORT_DATA_BYTES) {
    return refuse(
      'BINDING_INPUT_INVALID',
      `report data has ${reportData.length} bytes instead of ${REPORT_DATA_BYTES}`,
    );
  }
  let expected: Buffer;
  try {
    expected = expectedReportData(convention, input);
  } catch (error) {
    if (error instanceof BindingError) return refuse(error.code, error.message);
    return refuse('BINDING_INPUT_INVALID', 'the binding inputs could not be read');
  }
  // Both halves are always compared, so that the time taken says nothing about where they differ.
  const low = timingSafeEqual(expected.subarray(0, HALF), reportData.subarray(0, HALF));
  const high = timingSafeEqual(expected.subarray(HALF), reportData.subarray(HALF));
  if (low && high) return { ok: true };
  if (low && convention === 'sha256-spki' && input.nonce) {
    return refuse('CHALLENGE_NOT_BOUND', 'the key is bound, but [32,64) is not the SHA-256 of the challenge');
  }
  return refuse('BINDING_MISMATCH', `report data is not what ${convention} demands`);
}

function refuse(code: BindingErrorCode, message: string): BindingResult {
  return { ok: false, code, message };
}

function spkiOf(input: BindingInput): Uint8Array {
  const { spki } = input;
  if (!spki || spki.length === 0 || spki.length > MAX_SPKI_BYTES) {
    throw new BindingError('BINDING_INPUT_INVALID', 'the public key (SPKI) is missing, empty or too large');
  }
  return spki;
}

function nonceOf(input: BindingInput): Uint8Array | undefined {
  const { nonce } = input;
  if (nonce === undefined) return undefined;
  if (nonce.length < MIN_NONCE_BYTES || nonce.length > MAX_NONCE_BYTES) {
    throw new BindingError(
      'BINDING_INPUT_INVALID',
      `a challenge has ${MIN_NONCE_BYTES} to ${MAX_NONCE_BYTES} bytes`,
    );
  }
  return nonce;
}

function runtimeDataOf(input: BindingInput): Uint8Array {
  const { runtimeData } = input;
  if (!runtimeData || runtimeData.length === 0 || runtimeData.length > MAX_RUNTIME_DATA_BYTES) {
    throw new BindingError('BINDING_INPUT_INVALID', 'the runtime data is missing, empty or too large');
  }
  return runtimeData;
}

function claimsOf(input: BindingInput): Buffer {
  const { claims } = input;
  if (!claims || claims.length === 0 || claims.length > MAX_CLAIMS_BYTES) {
    throw new BindingError('BINDING_INPUT_INVALID', 'the claims are missing, empty or too large');
  }
  return Buffer.from(claims.buffer, claims.byteOffset, claims.length);
}

function readClaims(claims: Buffer): DiceClaims {
  try {
    return readDiceClaims(claims);
  } catch (error) {
    if (error instanceof EvidenceError) throw new BindingError('BINDING_INPUT_INVALID', error.message);
    throw error;
  }
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
