import { BINDINGS } from '#evidence';
import type { BindingConvention } from '#evidence';
import type { Manifest, PlatformPolicy, TcbPolicy, Workload } from '../manifest/schema.js';
import { alternatives, atLeast, exactly, oneOf } from './conditions.js';
import type { Rule } from './conditions.js';

/** Accepted where the manifest says nothing. On AKS no SGX node is better than SWHardeningNeeded. */
export const DEFAULT_TCB_ACCEPT = Object.freeze(['UpToDate', 'SWHardeningNeeded'] as const);
export const DEFAULT_BINDING: BindingConvention = 'sha256-spki';
/** What is accepted where the manifest names no convention: that of the native protocol, and those of the protocols it opens. */
function presetBindings({ fortanix, gramine, occlum, trustee }: Workload): readonly BindingConvention[] {
  return [
    DEFAULT_BINDING,
    // Gramine binds the key itself up to 1.7, and claims that hold its hash since 1.8.
    ...(gramine ? (['dice-claims'] as const) : []),
    ...(occlum && (occlum.protocols ?? ['aecs']).includes('aecs') ? (['aecs-pem'] as const) : []),
    ...(fortanix ? (['fortanix-config'] as const) : []),
    ...(trustee ? (['trustee-runtime-data'] as const) : []),
  ];
}

/** All conditions of a workload but its identity, in the order in which a denial names the first that fails. */
export function policyRules(workload: Workload, defaults: Manifest['defaults'], releases: boolean): Rule[] {
  return [
    ...validityRules(workload),
    ...debugRules(workload),
    ...tcbRules(workload.tcb ?? defaults?.tcb ?? {}),
    ...platformRules(workload.platform ?? defaults?.platform ?? {}),
    ...bindingRules(workload.binding ?? defaults?.binding ?? {}, releases, presetBindings(workload)),
  ];
}

function validityRules({ validity }: Workload): Rule[] {
  const rules: Rule[] = [];
  const { notBefore, notAfter } = validity ?? {};
  const actual: Rule['actual'] = ({ now }) => now.toISOString();
  if (notBefore !== undefined) {
    const from = Date.parse(notBefore);
    const holds: Rule['holds'] = ({ now }) => now.getTime() >= from;
    rules.push({
      name: 'validity.notBefore',
      denial: 'WORKLOAD_NOT_VALID_NOW',
      expected: `>= ${notBefore}`,
      actual,
      holds,
    });
  }
  if (notAfter !== undefined) {
    const until = Date.parse(notAfter);
    const holds: Rule['holds'] = ({ now }) => now.getTime() <= until;
    rules.push({
      name: 'validity.notAfter',
      denial: 'WORKLOAD_NOT_VALID_NOW',
      expected: `<= ${notAfter}`,
      actual,
      holds,
    });
  }
  return rules;
}

function debugRules({ debug }: Workload): Rule[] {
  if (debug !== true) return [exactly('debug', 'DEBUG_ENCLAVE', false, (claims) => claims.debug)];
  return [
    {
      name: 'debug',
      denial: 'DEBUG_ENCLAVE',
      expected: 'any',
      actual: ({ claims }) => claims.debug,
      holds: () => true,
    },
  ];
}

function tcbRules(tcb: TcbPolicy): Rule[] {
  // Revoked is never accepted, whoever wrote the list: no lint stands between a program and this function.
  const accept: readonly string[] = (tcb.accept ?? DEFAULT_TCB_ACCEPT).filter(
    (status) => status !== 'Revoked',
  );
  const rules: Rule[] = [
    oneOf('tcb.status', 'TCB_STATUS_NOT_ACCEPTED', accept, (claims) => claims.tcbStatus),
  ];
  const { allow, reject } = tcb.advisories ?? {};
  const advisories: Rule['actual'] = ({ claims }) => claims.advisoryIds;
  if (allow) {
    const allowed = new Set(allow);
    rules.push({
      name: 'tcb.advisories.allow',
      denial: 'ADVISORY_NOT_ALLOWED',
      expected: alternatives(allow),
      actual: advisories,
      holds: ({ claims }) => claims.advisoryIds.every((id) => allowed.has(id)),
    });
  }
  if (reject) {
    const rejected = new Set(reject);
    rules.push({
      name: 'tcb.advisories.reject',
      denial: 'ADVISORY_NOT_ALLOWED',
      expected:
        reject.length > 8
          ? `none of ${reject.length} values`
          : Object.freeze(reject.map((id) => `not ${id}`)),
      actual: advisories,
      holds: ({ claims }) => !claims.advisoryIds.some((id) => rejected.has(id.toUpperCase())),
    });
  }
  const { minTcbEvaluationDataNumber: floor, minTcbDate } = tcb;
  if (floor !== undefined) {
    rules.push(
      atLeast(
        'tcb.minTcbEvaluationDataNumber',
        'TCB_EVALUATION_TOO_OLD',
        floor,
        (claims) => claims.tcbEvaluationDataNumber,
      ),
    );
  }
  if (minTcbDate !== undefined) {
    const from = Date.parse(minTcbDate);
    rules.push({
      name: 'tcb.minTcbDate',
      denial: 'TCB_DATE_TOO_OLD',
      expected: `>= ${minTcbDate}`,
      actual: ({ claims }) => claims.tcbDate ?? null,
      // An absent or unreadable date gives NaN, which is not later than anything.
      holds: ({ claims }) => Date.parse(claims.tcbDate ?? '') >= from,
    });
  }
  return rules;
}

function platformRules(platform: PlatformPolicy): Rule[] {
  const rules: Rule[] = [];
  const denial = 'PLATFORM_NOT_ALLOWED';
  const { fmspc, instanceIds, ppids, qeIds, sgxTypes, dynamicPlatform, cachedKeys, smt } = platform;
  if (fmspc) rules.push(oneOf('platform.fmspc', denial, fmspc, (claims) => claims.fmspc));
  if (instanceIds)
    rules.push(oneOf('platform.instanceIds', denial, instanceIds, (claims) => claims.platformInstanceId));
  if (ppids) rules.push(oneOf('platform.ppids', denial, ppids, (claims) => claims.ppidSha256));
  if (qeIds) rules.push(oneOf('platform.qeIds', denial, qeIds, (claims) => claims.qeId));
  if (sgxTypes) rules.push(oneOf<string>('platform.sgxTypes', denial, sgxTypes, (claims) => claims.sgxType));
  if (dynamicPlatform === 'deny')
    rules.push(exactly('platform.dynamicPlatform', denial, false, (claims) => claims.dynamicPlatform));
  if (cachedKeys === 'deny')
    rules.push(exactly('platform.cachedKeys', denial, false, (claims) => claims.cachedKeys));
  if (smt === 'deny') rules.push(exactly('platform.smt', denial, false, (claims) => claims.smtEnabled));
  return rules;
}

function bindingRules(
  binding: NonNullable<Workload['binding']>,
  releases: boolean,
  preset: readonly BindingConvention[],
): Rule[] {
  const named = binding.convention ?? preset;
  const accepted: readonly BindingConvention[] = typeof named === 'string' ? [named] : named;
  // What is sealed must be sealed to a key that the quote binds, whatever the manifest says.
  const usable = releases ? accepted.filter((convention) => BINDINGS[convention].bindsKey) : accepted;
  const conventions = new Set<string>(usable);
  const rules: Rule[] = [
    {
      name: 'binding.convention',
      denial: 'BINDING_NOT_ALLOWED',
      expected: alternatives(usable),
      actual: (request) => request.binding.convention,
      holds: (request) => conventions.has(request.binding.convention),
    },
  ];
  if (binding.challenge === 'required') {
    rules.push({
      name: 'binding.challenge',
      denial: 'CHALLENGE_REQUIRED',
      expected: true,
      actual: (request) => request.binding.challenge,
      holds: (request) => request.binding.challenge,
    });
  }
  return rules;
}
