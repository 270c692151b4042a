import type { Identity } from '../manifest/identity-schema.js';
import type { Manifest, TcbStatusName, Workload } from '../manifest/schema.js';
import { contributionOf, type Contribution, type ImportEntry } from './claim-mapping.js';
import type { Authority, Group, ReleaseCondition, ReleasePolicy } from './grammar.js';

export type { ImportEntry, ImportResult } from './claim-mapping.js';

export interface ImportedPolicy {
  readonly manifest: Manifest;
  /** One entry for each authority and each condition of the policy. */
  readonly report: readonly ImportEntry[];
}

/** Ways to satisfy one authority that are written out; nested alternatives multiply. */
const MAX_WAYS = 64;

/** One way to satisfy an authority, gathered from all conditions on it. */
interface Way {
  readonly identity: Identity;
  readonly debug: boolean | undefined;
  readonly tcb: readonly TcbStatusName[];
}

/**
 * A Key Vault release policy as workloads of a manifest. The authorities of the policy fall away: the quote itself is verified, no token
 * of an attestation service is needed. What a manifest cannot say is left out and reported.
 * @param name of the workload; further ones that differ in debug or TCB get a number
 */
export function importReleasePolicy(policy: ReleasePolicy, name: string): ImportedPolicy {
  const report: ImportEntry[] = [];
  const ways = policy.anyOf.flatMap((authority, index) =>
    importAuthority(authority, `anyOf[${index}]`, report),
  );
  const kinds = new Map<string, Way[]>();
  for (const way of ways) {
    const key = JSON.stringify([way.debug === true, way.tcb]);
    kinds.set(key, [...(kinds.get(key) ?? []), way]);
  }
  const workloads: Record<string, Workload> = {};
  for (const [at, alike] of [...kinds.values()].entries())
    workloads[at === 0 ? name : `${name}-${at + 1}`] = workloadOf(alike);
  return { manifest: { siegel: 'v1', workloads }, report };
}

function importAuthority({ authority, rule }: Authority, path: string, report: ImportEntry[]): Way[] {
  report.push({
    path: `${path}.authority`,
    result: 'mapped',
    note: `the quote itself is verified; a token of ${authority.slice(0, 200)} is not needed`,
  });
  const contributions = new Map<ReleaseCondition, Contribution>();
  describe(rule, path, contributions, report);
  const sets = waysOf(rule);
  if (sets === undefined) {
    report.push({
      path: `${path}.${rule.kind}`,
      result: 'unsupported',
      note: `more than ${MAX_WAYS} ways to satisfy it: write the alternatives as workloads of their own`,
    });
    return [];
  }
  const found: Way[] = [];
  for (const conditions of sets) {
    const way = gather(conditions.map((condition) => contributions.get(condition)!));
    if (way === 'contradiction') continue;
    const { identity } = way;
    if (!identity.mrenclave && !identity.mrsigner && !identity.mrtd) {
      report.push({
        path: `${path}.${rule.kind}`,
        result: 'unsupported',
        note: 'there is a way to satisfy it that pins no MRENCLAVE, MRSIGNER or MRTD: a manifest has no workload that is any enclave',
      });
    } else found.push(way);
  }
  if (found.length === 0)
    report.push({
      path: `${path}.${rule.kind}`,
      result: 'unsupported',
      note: 'nothing of it became a workload',
    });
  else if (found.some(({ debug }) => debug === undefined))
    report.push({
      path: `${path}.${rule.kind}`,
      result: 'mapped',
      note: 'the policy lets debug enclaves pass; the workload refuses them',
    });
  return found;
}

/** Reports every condition, in the order of the policy. */
function describe(
  group: Group,
  path: string,
  contributions: Map<ReleaseCondition, Contribution>,
  report: ImportEntry[],
): void {
  for (const [index, condition] of group.conditions.entries()) {
    const at = `${path}.${group.kind}[${index}]`;
    if (condition.kind !== 'claim') {
      describe(condition, at, contributions, report);
      continue;
    }
    const contribution = contributionOf(condition);
    contributions.set(condition, contribution);
    report.push({ path: at, result: contribution.result, note: contribution.note });
  }
}

/** The alternatives of a condition, each a list of claims that must hold together; undefined where there are too many. */
function waysOf(condition: ReleaseCondition): ReleaseCondition[][] | undefined {
  if (condition.kind === 'claim') return [[condition]];
  let ways: ReleaseCondition[][] = condition.kind === 'allOf' ? [[]] : [];
  for (const inner of condition.conditions) {
    const more = waysOf(inner);
    if (more === undefined) return undefined;
    const size = condition.kind === 'allOf' ? ways.length * more.length : ways.length + more.length;
    if (size > MAX_WAYS) return undefined;
    ways =
      condition.kind === 'allOf'
        ? ways.flatMap((before) => more.map((next) => [...before, ...next]))
        : [...ways, ...more];
  }
  return ways;
}

function gather(contributions: readonly Contribution[]): Way | 'contradiction' {
  const identity: Record<string, unknown> = {};
  const tcb = new Set<TcbStatusName>();
  let debug: boolean | undefined;
  for (const contribution of contributions) {
    for (const [field, value] of Object.entries(contribution.identity ?? {})) {
      const before = identity[field];
      const floor = field === 'isvsvn' || field === 'configsvn';
      if (before === undefined) identity[field] = value;
      else if (floor) identity[field] = Math.max(before as number, value as number);
      else if (JSON.stringify(before) !== JSON.stringify(value)) return 'contradiction';
    }
    if (contribution.debug !== undefined) {
      if (debug !== undefined && debug !== contribution.debug) return 'contradiction';
      debug = contribution.debug;
    }
    if (contribution.tcb !== undefined) tcb.add(contribution.tcb);
  }
  if (tcb.size > 1) return 'contradiction';
  return { identity: identity as Identity, debug, tcb: [...tcb] };
}

/** Ways that differ in one measurement alone become one entry with a list. */
function workloadOf(ways: readonly Way[]): Workload {
  const [first] = ways as [Way, ...Way[]];
  const entries = new Map<string, Identity>();
  for (const { identity } of ways) {
    const { mrenclave, ...rest } = identity;
    const key = JSON.stringify([mrenclave !== undefined, Object.entries(rest).sort()]);
    const known = entries.get(key);
    if (known === undefined) entries.set(key, { ...identity });
    else if (mrenclave) known.mrenclave = [...new Set([...(known.mrenclave ?? []), ...mrenclave])];
  }
  const identities = [...entries.values()];
  return {
    identity: identities.length === 1 ? identities[0]! : identities,
    ...(first.tcb.length === 0 ? {} : { tcb: { accept: [...first.tcb] } }),
    ...(first.debug === true ? { debug: true } : {}),
  };
}
