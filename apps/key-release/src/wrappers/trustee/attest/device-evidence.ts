import { hash, timingSafeEqual } from 'node:crypto';
import { trusteeRuntimeData } from '#evidence';
import { Denial } from '../../../pipeline/denial.js';
import { base64 } from '../protocol/base64.js';
import { malformed } from '../protocol/kbs-error.js';
import type { TeeKey } from './tee-key.js';

const MAX_SAMPLE_CHARACTERS = 4_096;

/**
 * Evidence of further devices (GPUs and their like) beside the first. Nothing here verifies any, so that a client which brings some is
 * refused rather than served as if they had been looked at. In the simulation profile the `sampledevice` of the real client is checked.
 * @param additional JSON text as the client hashed it; empty or undefined for none
 * @throws Denial, SiegelError REQUEST_MALFORMED
 */
export function checkDevices(
  additional: string | undefined,
  nonce: string,
  key: TeeKey,
  simulation: boolean,
): void {
  if (additional === undefined || additional === '') return;
  const devices = parsed(additional);
  const unsupported = Object.keys(devices).find((kind) => kind !== 'sampledevice' || !simulation);
  if (unsupported !== undefined) {
    throw Denial.of('EVIDENCE_UNSUPPORTED', {
      code: 'DEVICE_UNSUPPORTED',
      message: `evidence of a further device (${JSON.stringify(unsupported.slice(0, 32))}) is not verified here`,
    });
  }
  const { sampledevice } = devices as { sampledevice?: { report_data?: unknown } | null };
  if (sampledevice === undefined) return;
  const text = sampledevice?.report_data;
  if (additional.length > MAX_SAMPLE_CHARACTERS || typeof text !== 'string')
    throw malformed('"additional_evidence.sampledevice" is not what the sample attester writes');
  const expected = hash('sha384', trusteeRuntimeData({ nonce, key: key.jwk }), 'buffer');
  const given = base64(text, 'additional_evidence.sampledevice.report_data');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw Denial.of('BINDING_MISMATCH', {
      code: 'BINDING_MISMATCH',
      message: 'the report data of "sampledevice" does not bind nonce and key',
    });
  }
}

function parsed(additional: string): object {
  let json: unknown;
  try {
    json = JSON.parse(additional);
  } catch {
    json = undefined;
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw malformed('"additional_evidence" is neither empty nor a JSON object');
  return json;
}
