import type { LocatedDocument } from '../document/located.js';
import { readDocument } from '../document/read-document.js';
import { quoted } from '../problem.js';
import type { Finding, LintProblem, PathStep } from '../problem.js';
import { didYouMean } from '../spelling.js';
import { OPERATORS, RELEASE_POLICY_LIMITS as LIMITS } from './grammar.js';
import type {
  Authority,
  ClaimCondition,
  Group,
  Operator,
  PolicyValue,
  ReleaseCondition,
  ReleasePolicy,
} from './grammar.js';
import { lintReleasePolicyTree } from './lint-release-policy.js';

export type ReleasePolicyResult =
  { ok: true; policy: ReleasePolicy; warnings: LintProblem[] } | { ok: false; problems: LintProblem[] };

/**
 * Reads a Key Vault release policy (JSON; the base64url of `release_policy.data` must be removed before). Errors are breaches of
 * the grammar; what is valid but dangerous comes as warnings. Never throws.
 */
export function parseReleasePolicy(text: string): ReleasePolicyResult {
  const read = readDocument(text);
  if (!read.ok) return { ok: false, problems: read.problems };
  const parser = new Parser();
  const policy = parser.policy(read.document);
  if (!policy || parser.findings.length > 0)
    return { ok: false, problems: read.document.problems(parser.findings) };
  return { ok: true, policy, warnings: read.document.problems(lintReleasePolicyTree(policy)) };
}

/** Breaches of the grammar and dangerous constructs alike; `ok` if there is no breach. Never throws. */
export function lintReleasePolicy(text: string): { ok: boolean; problems: LintProblem[] } {
  const result = parseReleasePolicy(text);
  return { ok: result.ok, problems: result.ok ? result.warnings : result.problems };
}

type Mapping = Record<string, unknown>;

class Parser {
  readonly findings: Finding[] = [];
  private conditions = 0;

  policy(document: LocatedDocument): ReleasePolicy | undefined {
    const root = this.mapping(document.data, [], ['version', 'anyOf']);
    if (!root) return undefined;
    const version = root['version'];
    if (version === undefined) this.error('KEY_MISSING', [], '"version" is missing', '"version": "1.0.0"');
    else if (version !== '1.0.0' && version !== '0.2') {
      this.error(
        'VERSION_UNSUPPORTED',
        ['version'],
        `version ${quoted(version)} of the grammar is not known`,
        '1.0.0',
      );
    }
    const list = this.list(root, 'anyOf', [], LIMITS.authorities);
    const anyOf = list?.map((item, index) => this.authority(item, ['anyOf', index]));
    if (!anyOf?.every((authority) => authority !== undefined)) return undefined;
    return { version: version === '0.2' ? '0.2' : '1.0.0', anyOf };
  }

  private authority(item: unknown, path: PathStep[]): Authority | undefined {
    const mapping = this.mapping(item, path, ['authority', 'allOf', 'anyOf']);
    if (!mapping) return undefined;
    const { authority } = mapping as { authority?: unknown };
    if (typeof authority !== 'string' || authority === '') {
      return this.error(
        'AUTHORITY_MISSING',
        [...path, 'authority'],
        '"authority" must be the URL of the token issuer',
      );
    }
    const rule = this.group(mapping, path, 0);
    return rule && { authority, rule };
  }

  private group(mapping: Mapping, path: PathStep[], depth: number): Group | undefined {
    const kinds = (['allOf', 'anyOf'] as const).filter((kind) => Object.hasOwn(mapping, kind));
    const [kind] = kinds;
    if (kind === undefined || kinds.length > 1) {
      return this.error('GROUP_INVALID', path, 'there must be exactly one of "allOf" and "anyOf"');
    }
    if (depth >= LIMITS.depth)
      return this.error('NESTING_TOO_DEEP', path, `nested deeper than ${LIMITS.depth} levels`);
    const list = this.list(mapping, kind, path, LIMITS.conditions);
    const conditions = list?.map((item, index) => this.condition(item, [...path, kind, index], depth + 1));
    if (!conditions?.every((condition) => condition !== undefined)) return undefined;
    return { kind, conditions };
  }

  private condition(item: unknown, path: PathStep[], depth: number): ReleaseCondition | undefined {
    if (++this.conditions > LIMITS.conditions) {
      if (this.conditions > LIMITS.conditions + 1) return undefined;
      return this.error('POLICY_TOO_COMPLEX', path, `more than ${LIMITS.conditions} conditions`);
    }
    const mapping = this.mapping(item, path, ['claim', 'allOf', 'anyOf', ...OPERATORS]);
    if (!mapping) return undefined;
    const keys = Object.keys(mapping);
    if (!keys.includes('claim')) {
      const operator = keys.find((key) => (OPERATORS as readonly string[]).includes(key));
      if (operator !== undefined)
        return this.error('KEY_MISSING', path, `"${operator}" stands without a "claim"`);
      return this.group(mapping, path, depth);
    }
    return this.claim(mapping, path);
  }

  private claim(mapping: Mapping, path: PathStep[]): ClaimCondition | undefined {
    const claim = mapping['claim'];
    if (typeof claim !== 'string' || !isClaimPath(claim)) {
      return this.error('CLAIM_INVALID', [...path, 'claim'], 'a claim is a name, or names joined by dots');
    }
    const others = Object.keys(mapping).filter((key) => key !== 'claim');
    const operator = others[0] as Operator | undefined;
    if (operator === undefined || others.length > 1 || !OPERATORS.includes(operator)) {
      return this.error('OPERATOR_INVALID', path, `a claim needs exactly one of ${OPERATORS.join(', ')}`);
    }
    const value = mapping[operator];
    const at = [...path, operator];
    if (!isPolicyValue(value))
      return this.error('VALUE_INVALID', at, 'the value must be text, a number, true or false');
    if (typeof value === 'string' && value.length > LIMITS.valueLength) {
      return this.error('TEXT_TOO_LONG', at, `the value may have at most ${LIMITS.valueLength} characters`);
    }
    if (operator === 'exists' && !/^(?:true|false)$/.test(String(value))) {
      return this.error('VALUE_INVALID', at, '"exists" takes true or false');
    }
    return { kind: 'claim', claim, operator, value };
  }

  private mapping(value: unknown, path: PathStep[], known: readonly string[]): Mapping | undefined {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return this.error('WRONG_TYPE', path, 'an object is expected here');
    }
    let good = true;
    for (const key of Object.keys(value)) {
      if (known.includes(key)) continue;
      good = false;
      const message = `unknown key ${quoted(key)}; known: ${known.join(', ')}`;
      this.error('UNKNOWN_KEY', [...path, key], message, didYouMean(key, known), 'key');
    }
    return good ? (value as Mapping) : undefined;
  }

  private list(mapping: Mapping, key: string, path: PathStep[], max: number): unknown[] | undefined {
    const value = mapping[key];
    if (value === undefined) return this.error('KEY_MISSING', path, `"${key}" is missing`);
    if (!Array.isArray(value)) return this.error('WRONG_TYPE', [...path, key], `"${key}" must be a list`);
    if (value.length === 0) return this.error('LIST_EMPTY', [...path, key], `"${key}" may not be empty`);
    if (value.length > max)
      return this.error('LIST_TOO_LONG', [...path, key], `"${key}" may have at most ${max} entries`);
    return value;
  }

  private error(
    code: string,
    path: PathStep[],
    message: string,
    suggestion?: string,
    at: 'key' | 'value' = 'value',
  ): undefined {
    this.findings.push({
      code,
      severity: 'error',
      path,
      at,
      message,
      ...(suggestion === undefined ? {} : { suggestion }),
    });
    return undefined;
  }
}

function isClaimPath(claim: string): boolean {
  return claim.length <= LIMITS.claimLength && claim.split('.').every((part) => part !== '');
}

function isPolicyValue(value: unknown): value is PolicyValue {
  return (
    typeof value === 'string' ||
    typeof value === 'boolean' ||
    (typeof value === 'number' && Number.isFinite(value))
  );
}
