import type { Manifest, Workload } from '../manifest/schema.js';
import type { Finding, PathStep } from '../problem.js';

/** What a lint rule sees: one workload, and where it stands. */
export interface WorkloadView {
  readonly name: string;
  readonly workload: Workload;
  readonly manifest: Manifest;
  /** Names of the deployment's vaults, if the caller knows them. */
  readonly knownVaults?: readonly string[] | undefined;
}

export type Report = (finding: Finding) => void;

type Details = { suggestion?: string | undefined; at?: 'key' | 'value' };

export function error(
  code: string,
  path: readonly PathStep[],
  message: string,
  details: Details = {},
): Finding {
  return finding(code, 'error', path, message, details);
}

export function warning(
  code: string,
  path: readonly PathStep[],
  message: string,
  details: Details = {},
): Finding {
  return finding(code, 'warning', path, message, details);
}

function finding(
  code: string,
  severity: Finding['severity'],
  path: readonly PathStep[],
  message: string,
  details: Details,
): Finding {
  const { suggestion, at } = details;
  return {
    code,
    severity,
    path,
    message,
    ...(suggestion === undefined ? {} : { suggestion }),
    ...(at ? { at } : {}),
  };
}

/** Reports each value of a list that stands there a second time. */
export function duplicates(
  values: readonly unknown[] | undefined,
  path: readonly PathStep[],
  report: Report,
): void {
  const seen = new Set<unknown>();
  for (const [index, value] of (values ?? []).entries()) {
    if (seen.has(value))
      report(warning('DUPLICATE_VALUE', [...path, index], 'this value stands in the list twice'));
    seen.add(value);
  }
}

/** The section of a workload, or the default that applies to it, with the path at which it is written. */
export function section<K extends 'tcb' | 'platform' | 'binding' | 'session'>(
  { name, workload, manifest }: WorkloadView,
  key: K,
): { value: NonNullable<Workload[K]>; path: PathStep[]; inherited: boolean } | undefined {
  const own = workload[key];
  if (own)
    return { value: own as NonNullable<Workload[K]>, path: ['workloads', name, key], inherited: false };
  const preset = manifest.defaults?.[key];
  return preset && { value: preset as NonNullable<Workload[K]>, path: ['defaults', key], inherited: true };
}
