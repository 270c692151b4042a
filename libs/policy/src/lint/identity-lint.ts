import { SGX_FIELDS, TDX_FIELDS } from '../manifest/identity-schema.js';
import type { Identity } from '../manifest/identity-schema.js';
import type { PathStep } from '../problem.js';
import { isZeroMeasurement, publicSigner } from './public-signers.js';
import { duplicates, error, warning } from './rule.js';
import type { Report, WorkloadView } from './rule.js';

/** The identity's entries with their paths; a single entry and a list read the same. */
export function identitiesOf({ name, workload }: WorkloadView): { identity: Identity; path: PathStep[] }[] {
  const base = ['workloads', name, 'identity'];
  const { identity } = workload;
  if (!Array.isArray(identity)) return [{ identity, path: base }];
  return identity.map((entry, index) => ({ identity: entry, path: [...base, index] }));
}

export function lintIdentity(view: WorkloadView, report: Report): void {
  for (const { identity, path } of identitiesOf(view)) {
    const sgx = SGX_FIELDS.find((field) => identity[field] !== undefined);
    const tdx = TDX_FIELDS.find((field) => identity[field] !== undefined);
    if (sgx !== undefined && tdx !== undefined) {
      const message = `"${sgx}" belongs to SGX and "${tdx}" to TDX: no evidence has both; write a list of two entries`;
      report(error('IDENTITY_MIXES_TEES', [...path, tdx], message, { at: 'key' }));
    } else if (
      identity.mrenclave === undefined &&
      identity.mrsigner === undefined &&
      identity.mrtd === undefined
    ) {
      const message =
        'the identity names no measurement: give mrenclave, or mrsigner with isvprodid and isvsvn, or mrtd';
      report(error('IDENTITY_EMPTY', path, message, { at: 'key' }));
    }
    lintMeasurements(identity, path, report);
    lintSigner(identity, path, report);
    if (identity.mrtd !== undefined && !(identity.rtmr1 || identity.rtmr2 || identity.rtmr3)) {
      const message =
        'MRTD covers the firmware only; without rtmr1 and rtmr2 any kernel and any application on it is accepted';
      report(warning('TDX_RTMR_MISSING', [...path, 'mrtd'], message, { at: 'key' }));
    }
  }
}

function lintMeasurements(identity: Identity, path: PathStep[], report: Report): void {
  for (const field of ['mrenclave', 'mrsigner', 'mrtd'] as const) {
    for (const [index, value] of (identity[field] ?? []).entries()) {
      if (field !== 'mrsigner' && isZeroMeasurement(value)) {
        report(
          error('MEASUREMENT_ZERO', [...path, field, index], `an all-zero ${field} belongs to no enclave`),
        );
      }
    }
    duplicates(identity[field], [...path, field], report);
  }
}

function lintSigner(identity: Identity, path: PathStep[], report: Report): void {
  const { mrsigner, mrenclave, isvprodid, isvsvn } = identity;
  if (!mrsigner) return;
  for (const [index, value] of mrsigner.entries()) {
    const reason = publicSigner(value);
    if (reason === undefined) continue;
    const at = [...path, 'mrsigner', index];
    const message = `${reason}: anybody can sign with it`;
    // Beside an MRENCLAVE the signer decides nothing, so that a public one is only useless.
    if (mrenclave === undefined || isZeroMeasurement(value)) report(error('SIGNER_PUBLIC', at, message));
    else report(warning('SIGNER_PUBLIC', at, message));
  }
  if (mrenclave !== undefined) return;
  if (isvprodid === undefined) {
    const message =
      'a rule by signer alone accepts every product that this key has ever signed; add isvprodid';
    report(
      error('SIGNER_WITHOUT_PRODUCT', [...path, 'mrsigner'], message, {
        at: 'key',
        suggestion: 'isvprodid: 1',
      }),
    );
  }
  if (isvsvn === undefined) {
    const message = 'a rule by signer accepts old, vulnerable builds unless it has a floor; add isvsvn';
    report(
      error('SIGNER_WITHOUT_SVN_FLOOR', [...path, 'mrsigner'], message, {
        at: 'key',
        suggestion: 'isvsvn: 1',
      }),
    );
  }
}
