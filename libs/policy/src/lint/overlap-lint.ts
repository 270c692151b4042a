import { TDX_FIELDS, type Identity } from '../manifest/identity-schema.js';
import { compileIdentity } from '../decision/identity-rules.js';
import { identitiesOf } from './identity-lint.js';
import { warning } from './rule.js';
import type { Report, WorkloadView } from './rule.js';

/** Entries compared per measurement; more of them only repeat the same warning. */
const MAX_COMPARED = 64;

/**
 * Warns where one enclave can be two workloads. The caller must then name the workload, and whoever controls the enclave's host may
 * name either: the enclave in effect has what both are granted.
 */
export function lintOverlaps(views: readonly WorkloadView[], report: Report): void {
  const byMeasurement = new Map<string, { name: string; identity: Identity }[]>();
  for (const view of views) {
    const { name } = view;
    let other: string | undefined;
    for (const { identity } of identitiesOf(view)) {
      for (const key of compileIdentity(identity).keys) {
        const earlier = byMeasurement.get(key) ?? [];
        other ??= earlier
          .slice(0, MAX_COMPARED)
          .find((entry) => entry.name !== name && compatible(entry.identity, identity))?.name;
        earlier.push({ name, identity });
        byMeasurement.set(key, earlier);
      }
    }
    if (other !== undefined) {
      const message = `an enclave can be both "${name}" and "${other}": callers must name the workload, and may choose either`;
      report(warning('WORKLOADS_OVERLAP', ['workloads', name, 'identity'], message, { at: 'key' }));
    }
  }
}

/** Fields in which two entries exclude one another if their lists are disjoint. */
const FIELDS = [
  'mrenclave',
  'mrsigner',
  'configid',
  'isvextprodid',
  'isvfamilyid',
  ...TDX_FIELDS,
] as const satisfies readonly (keyof Identity)[];

function compatible(a: Identity, b: Identity): boolean {
  const products = (identity: Identity) =>
    typeof identity.isvprodid === 'number' ? [identity.isvprodid] : identity.isvprodid;
  return (
    intersect(products(a), products(b)) &&
    FIELDS.every((field) => intersect(a[field], b[field])) &&
    Object.keys(a.claims ?? {}).every((name) => intersect(a.claims?.[name], b.claims?.[name]))
  );
}

function intersect<T>(a: readonly T[] | undefined, b: readonly T[] | undefined): boolean {
  if (!a || !b) return true;
  const values = new Set(a);
  return b.some((value) => values.has(value));
}
