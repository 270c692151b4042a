import { createHash, timingSafeEqual } from 'node:crypto';
import { claimsHoldKey } from '../ra-tls/dice/claims.js';
import { BindingError, isBindingConvention, REPORT_DATA_BYTES } from './convention.js';
import type { BindingConvention, BindingErrorCode, BindingInput } from './convention.js';
import {
  certificateOf,
  claimsOf,
  configIdOf,
  noChallenge,
  nonceOf,
  pkcs1PemOf,
  rsaEncodingsOf,
  runtimeDataOf,
  spkiOf,
} from './inputs.js';
import { holdsKey, readRuntimeData } from './runtime-data.js';
import { readTrusteeRuntimeData } from './trustee-runtime-data.js';

const HALF = REPORT_DATA_BYTES / 2;

/** Outcome of {@link checkBinding}; the message is for the operator. */
export type BindingResult = { ok: true } | { ok: false; code: BindingErrorCode; message: string };

/**
 * The 64 bytes that an enclave must put into its report data under a convention; where a convention leaves a choice, the
 * first of {@link acceptableReportData}.
 *
 * @throws BindingError as {@link acceptableReportData} does
 */
export function expectedReportData(convention: BindingConvention, input: BindingInput): Buffer {
  return acceptableReportData(convention, input)[0]!;
}

/**
 * All report data that binds the key under a convention: one value, but for `sha512-rsa-der`, where there are two.
 *
 * @throws BindingError if the convention is unknown, an input is missing or of an impossible length, or a
 *   challenge is given to a convention that has no room for it.
 */
export function acceptableReportData(convention: BindingConvention, input: BindingInput): readonly Buffer[] {
  switch (convention) {
    case 'sha256-spki': {
      const spki = spkiOf(input);
      const nonce = nonceOf(input);
      return [halves(sha256(spki), nonce ? sha256(nonce) : undefined)];
    }
    case 'sha512-spki': {
      const spki = spkiOf(input);
      noChallenge(input, convention);
      return [sha512(spki)];
    }
    case 'sha512-cert': {
      const certificate = certificateOf(input);
      noChallenge(input, convention);
      return [sha512(certificate)];
    }
    case 'sha512-rsa-der': {
      const encodings = rsaEncodingsOf(input);
      noChallenge(input, convention);
      return encodings.map(sha512);
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
      return [halves(sha256(data))];
    }
    case 'trustee-runtime-data': {
      const data = runtimeDataOf(input);
      const nonce = nonceOf(input);
      const bound = readTrusteeRuntimeData(data);
      if (!sameBytes(bound.spki, spkiOf(input)))
        throw new BindingError('KEY_NOT_IN_RUNTIME_DATA', 'the presented key is not "tee-pubkey"');
      if (nonce && !sameBytes(bound.nonce, nonce)) {
        throw new BindingError(
          'CHALLENGE_NOT_BOUND',
          'the runtime data does not repeat the challenge in "nonce"',
        );
      }
      const expected = Buffer.alloc(REPORT_DATA_BYTES);
      createHash('sha384').update(data).digest().copy(expected);
      return [expected];
    }
    case 'fortanix-config': {
      const key = sha256(spkiOf(input));
      const configId = configIdOf(input);
      noChallenge(input, convention);
      if (configId === undefined) return [halves(key)];
      return [halves(sha256(Buffer.concat([Buffer.of(1), key, configId])), configId)];
    }
    case 'dice-claims': {
      const { bytes, claims } = claimsOf(input);
      if (!claimsHoldKey(claims, spkiOf(input))) {
        throw new BindingError('KEY_NOT_IN_CLAIMS', 'the presented key is not the one of "pubkey-hash"');
      }
      noChallenge(input, convention);
      return [halves(sha256(bytes))];
    }
    case 'aecs-pem': {
      const text = pkcs1PemOf(input);
      noChallenge(input, convention);
      return [halves(new Uint8Array(HALF), sha256(text))];
    }
    case 'raw-nonce': {
      const nonce = nonceOf(input);
      if (!nonce) throw new BindingError('BINDING_INPUT_INVALID', 'raw-nonce needs the challenge');
      const expected = Buffer.alloc(REPORT_DATA_BYTES);
      expected.set(nonce, 0);
      return [expected];
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
  let acceptable: readonly Buffer[];
  try {
    acceptable = acceptableReportData(convention, input);
  } catch (error) {
    if (error instanceof BindingError) return refuse(error.code, error.message);
    return refuse('BINDING_INPUT_INVALID', 'the binding inputs could not be read');
  }
  let bound = false;
  let keyBound = false;
  for (const expected of acceptable) {
    // Both halves are always compared, so that the time taken says nothing about where they differ.
    const low = timingSafeEqual(expected.subarray(0, HALF), reportData.subarray(0, HALF));
    const high = timingSafeEqual(expected.subarray(HALF), reportData.subarray(HALF));
    bound ||= low && high;
    keyBound ||= low;
  }
  if (bound) return { ok: true };
  if (keyBound && convention === 'sha256-spki' && input.nonce) {
    return refuse('CHALLENGE_NOT_BOUND', 'the key is bound, but [32,64) is not the SHA-256 of the challenge');
  }
  return refuse('BINDING_MISMATCH', `report data is not what ${convention} demands`);
}

function refuse(code: BindingErrorCode, message: string): BindingResult {
  return { ok: false, code, message };
}

function halves(low: Uint8Array, high?: Uint8Array): Buffer {
  const data = Buffer.alloc(REPORT_DATA_BYTES);
  data.set(low, 0);
  if (high) data.set(high, HALF);
  return data;
}

const sameBytes = (a: Uint8Array | undefined, b: Uint8Array): boolean =>
  a?.length === b.length && timingSafeEqual(a, b);
const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();
const sha512 = (bytes: Uint8Array): Buffer => createHash('sha512').update(bytes).digest();
