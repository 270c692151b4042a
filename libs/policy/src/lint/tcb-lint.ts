import { BINDINGS } from '#evidence';
import type { BindingConvention } from '#evidence';
import type { Manifest, Workload } from '../manifest/schema.js';
import type { PathStep } from '../problem.js';
import { duplicates, error, section, warning } from './rule.js';
import type { Report, WorkloadView } from './rule.js';

/** Lints the `tcb` section at a path, of a workload or of the defaults; `sgx`: whether it applies to SGX enclaves. */
function lintTcb(tcb: NonNullable<Workload['tcb']>, path: PathStep[], sgx: boolean, report: Report): void {
  const { accept, advisories } = tcb;
  duplicates(accept, [...path, 'accept'], report);
  for (const [index, status] of (accept ?? []).entries()) {
    const at = [...path, 'accept', index];
    if (status === 'Revoked') {
      report(
        error(
          'TCB_ACCEPTS_REVOKED',
          at,
          'Revoked means that keys of the platform have leaked; it cannot be accepted',
        ),
      );
    } else if (status.startsWith('OutOfDate')) {
      report(
        warning(
          'TCB_ACCEPTS_OUT_OF_DATE',
          at,
          `${status} accepts platforms with known, unpatched vulnerabilities`,
        ),
      );
    }
  }
  if (sgx && accept?.every((status) => status === 'UpToDate')) {
    const message =
      'UpToDate alone refuses every SGX node of Azure (AKS): the best status of those processors is SWHardeningNeeded';
    report(
      warning('TCB_REFUSES_AZURE', [...path, 'accept'], message, {
        suggestion: '[UpToDate, SWHardeningNeeded]',
      }),
    );
  }
  const { allow, reject } = advisories ?? {};
  duplicates(allow, [...path, 'advisories', 'allow'], report);
  duplicates(reject, [...path, 'advisories', 'reject'], report);
  const allowed = new Set(allow);
  for (const [index, id] of (reject ?? []).entries()) {
    if (allowed.has(id)) {
      const at = [...path, 'advisories', 'reject', index];
      report(error('ADVISORY_ALLOWED_AND_REJECTED', at, `${id} stands in both lists of advisories`));
    }
  }
  if (tcb.minTcbDate !== undefined && !isRealInstant(tcb.minTcbDate)) {
    report(error('TIME_INVALID', [...path, 'minTcbDate'], 'this day does not exist'));
  }
}

function acceptsSgx({ identity }: Workload): boolean {
  return (Array.isArray(identity) ? identity : [identity]).some((entry) => entry.mrtd === undefined);
}

function lintPlatform(platform: NonNullable<Workload['platform']>, path: PathStep[], report: Report): void {
  for (const field of ['fmspc', 'instanceIds', 'ppids', 'qeIds', 'sgxTypes'] as const)
    duplicates(platform[field], [...path, field], report);
}

/** The defaults are linted once, where they stand. */
export function lintDefaults({ defaults, workloads }: Manifest, report: Report): void {
  const sgx = Object.values(workloads).some((workload) => !workload.tcb && acceptsSgx(workload));
  if (defaults?.tcb) lintTcb(defaults.tcb, ['defaults', 'tcb'], sgx, report);
  if (defaults?.platform) lintPlatform(defaults.platform, ['defaults', 'platform'], report);
}

export function lintTrust(view: WorkloadView, report: Report): void {
  const { name, workload } = view;
  const base = ['workloads', name];
  if (workload.tcb) lintTcb(workload.tcb, [...base, 'tcb'], acceptsSgx(workload), report);
  if (workload.platform) lintPlatform(workload.platform, [...base, 'platform'], report);
  if (workload.debug === true) {
    const message =
      'debug enclaves are accepted: the host can read their memory, and every secret released to them';
    report(warning('DEBUG_ALLOWED', [...base, 'debug'], message));
  }
  lintValidity(view, report);
  lintBinding(view, report);
}

function lintValidity({ name, workload }: WorkloadView, report: Report): void {
  const { notBefore, notAfter } = workload.validity ?? {};
  const base = ['workloads', name, 'validity'];
  for (const [key, value] of [
    ['notBefore', notBefore],
    ['notAfter', notAfter],
  ] as const) {
    if (value !== undefined && !isRealInstant(value))
      report(error('TIME_INVALID', [...base, key], 'this day does not exist'));
  }
  if (notBefore !== undefined && notAfter !== undefined && Date.parse(notBefore) >= Date.parse(notAfter)) {
    report(
      error(
        'VALIDITY_EMPTY',
        [...base, 'notAfter'],
        'notAfter is not later than notBefore: the workload is never valid',
      ),
    );
  }
}

function lintBinding(view: WorkloadView, report: Report): void {
  const binding = section(view, 'binding');
  if (!binding) return;
  const named = binding.value.convention;
  if (named === undefined) return;
  const conventions: readonly BindingConvention[] = typeof named === 'string' ? [named] : named;
  // A finding about an inherited section points at the workload that cannot use it.
  const at = binding.inherited ? ['workloads', view.name] : [...binding.path, 'convention'];
  const releases = view.workload.certificate !== undefined || (view.workload.secrets?.length ?? 0) > 0;
  for (const convention of conventions) {
    const { bindsKey, bindsChallenge } = BINDINGS[convention];
    if (releases && !bindsKey) {
      const message = `${convention} binds no key: secrets and certificates cannot be sealed to anybody`;
      report(
        error('BINDING_HOLDS_NO_KEY', at, message, {
          at: binding.inherited ? 'key' : 'value',
          suggestion: 'sha256-spki',
        }),
      );
    }
    if (binding.value.challenge === 'required' && !bindsChallenge) {
      const message = `${convention} has no room for a challenge, which is required here`;
      report(
        error('BINDING_HOLDS_NO_CHALLENGE', at, message, {
          at: binding.inherited ? 'key' : 'value',
          suggestion: 'sha256-spki',
        }),
      );
    }
  }
}

/** The format admits 31 days in every month; JavaScript rolls them over into the next. */
function isRealInstant(instant: string): boolean {
  const time = Date.parse(instant);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(instant.slice(0, 19));
}
