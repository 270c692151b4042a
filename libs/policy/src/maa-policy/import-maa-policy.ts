import type { ClaimCondition, Operator, ReleaseCondition } from '../akv-release-policy/grammar.js';
import {
  importReleasePolicy,
  type ImportedPolicy,
  type ImportEntry,
} from '../akv-release-policy/import-release-policy.js';
import type { MaaCondition, MaaOperator, MaaPolicy, MaaRule } from './syntax.js';

const OPERATORS: Readonly<Record<MaaOperator, Operator>> = {
  '==': 'equals',
  '!=': 'notEquals',
  '<=': 'lessOrEquals',
  '<': 'less',
  '>=': 'greaterOrEquals',
  '>': 'greater',
};
const OPPOSITES: Readonly<Record<Operator, Operator>> = {
  equals: 'notEquals',
  notEquals: 'equals',
  lessOrEquals: 'greater',
  less: 'greaterOrEquals',
  greaterOrEquals: 'less',
  greater: 'lessOrEquals',
  exists: 'exists',
};
const AUTHORITY = 'https://attestation.invalid';

/**
 * The authorization rules of a policy of Microsoft Azure Attestation as workloads of a manifest: a rule that permits is a way to pass, one that
 * denies a condition on the ways after it. What cannot be said makes the rules that depend on it fall away; nothing passes that did not.
 * @param name of the workload; further ones that differ in debug or TCB get a number
 */
export function importMaaPolicy(policy: MaaPolicy, name: string): ImportedPolicy {
  const report: ImportEntry[] = [];
  const denials: ReleaseCondition[] = [];
  const ways: { line: number; conditions: ReleaseCondition[] }[] = [];
  let closed: string | undefined;
  for (const rule of policy.authorization) {
    const path = `line ${rule.line}`;
    const conditions = rule.conditions.map(claimOf);
    const sayable = conditions.every((condition) => condition !== undefined);
    if (closed !== undefined) report.push({ path, result: 'unsupported', note: closed });
    else if (rule.action.name === 'add' || (rule.action.name === 'deny' && !sayable)) {
      report.push({
        path,
        result: 'unsupported',
        note: 'a manifest cannot say it, and later rules depend on it',
      });
      closed = `a rule before it (${path}) cannot be said in a manifest`;
    } else if (rule.action.name === 'deny') {
      report.push({ path, result: 'mapped', note: 'a condition on the rules after it' });
      if (conditions.length === 0) closed = `the rule of ${path} denies everything`;
      else denials.push(negation(conditions as ClaimCondition[]));
    } else if (sayable) {
      ways.push({ line: rule.line, conditions: [...(conditions as ClaimCondition[]), ...denials] });
      if (conditions.length === 0) closed = `the rule of ${path} permits everything`;
    } else
      report.push({
        path,
        result: 'unsupported',
        note: 'it names no claim, or a claim by more than its value',
      });
  }
  for (const rule of [...policy.configuration, ...policy.issuance]) report.push(meaningless(rule));
  return merged(ways, name, report);
}

function merged(
  ways: readonly { line: number; conditions: ReleaseCondition[] }[],
  name: string,
  report: ImportEntry[],
): ImportedPolicy {
  const [some, none] = [
    ways.filter(({ conditions }) => conditions.length > 0),
    ways.filter(({ conditions }) => conditions.length === 0),
  ];
  for (const { line } of none)
    report.push({
      path: `line ${line}`,
      result: 'unsupported',
      note: 'it permits any enclave; a manifest has no workload that is any',
    });
  const anyOf = some.map(({ conditions }) => ({
    authority: AUTHORITY,
    rule: { kind: 'allOf' as const, conditions },
  }));
  const imported = importReleasePolicy({ version: '1.0.0', anyOf }, name);
  const located = imported.report
    .filter(({ path }) => !path.endsWith('.authority'))
    .map((entry) => ({
      ...entry,
      path: inRules(
        entry.path,
        some.map(({ line }) => line),
      ),
    }));
  return { manifest: imported.manifest, report: [...report, ...located] };
}

/** `anyOf[1].allOf[2]` is the third condition of the second rule that permits. */
function inRules(path: string, lines: readonly number[]): string {
  return path.replace(/^anyOf\[(\d+)\]\.allOf/, (_all, at: string) => `line ${lines[Number(at)]} condition`);
}

/** A condition that compares the value of one named claim with a literal; undefined for any other. */
function claimOf({ negated, tests }: MaaCondition): ClaimCondition | undefined {
  const type = tests.find(({ property }) => property === 'type');
  const value = tests.find(({ property }) => property === 'value');
  const service = tests.filter(
    ({ property, operator, operand }) =>
      property === 'issuer' &&
      operator === '==' &&
      operand.kind === 'literal' &&
      operand.value === 'AttestationService',
  );
  if (
    negated ||
    type?.operator !== '==' ||
    type.operand.kind !== 'literal' ||
    typeof type.operand.value !== 'string'
  )
    return undefined;
  if (value?.operand.kind !== 'literal' || tests.length !== 2 + service.length) return undefined;
  const { value: literal } = value.operand;
  return { kind: 'claim', claim: type.operand.value, operator: OPERATORS[value.operator], value: literal };
}

/** That not all of them hold. Truth values are told by their opposite, which the importer knows. */
function negation(conditions: readonly ClaimCondition[]): ReleaseCondition {
  const opposites = conditions.map((condition): ClaimCondition =>
    typeof condition.value === 'boolean' &&
    (condition.operator === 'equals' || condition.operator === 'notEquals')
      ? { ...condition, value: !condition.value }
      : { ...condition, operator: OPPOSITES[condition.operator] },
  );
  const [only] = opposites;
  return opposites.length === 1 && only ? only : { kind: 'anyOf', conditions: opposites };
}

const meaningless = ({ line, action }: MaaRule): ImportEntry => ({
  path: `line ${line}`,
  result: 'mapped',
  note: `${action.name}: it shapes a token of the attestation service, which is not needed`,
});
