import { publicSigner } from '../lint/public-signers.js';
import { quoted } from '../problem.js';
import type { Finding, PathStep } from '../problem.js';
import { didYouMean } from '../spelling.js';
import type { Authority, ClaimCondition, Group, ReleaseCondition, ReleasePolicy } from './grammar.js';
import { KNOWN_CLAIMS, OPEN_CLAIMS, SGX_CLAIMS } from './known-claims.js';

type Predicate = (condition: ClaimCondition) => boolean;

/** Warnings about a policy that obeys the grammar: each is a mistake that published policies make. */
export function lintReleasePolicyTree(policy: ReleasePolicy): Finding[] {
  const findings: Finding[] = [];
  const warn = (
    code: string,
    path: PathStep[],
    message: string,
    suggestion?: string,
    at: 'key' | 'value' = 'value',
  ) =>
    void findings.push({
      code,
      severity: 'warning',
      path,
      at,
      message,
      ...(suggestion === undefined ? {} : { suggestion }),
    });
  if (policy.version !== '1.0.0')
    warn('POLICY_VERSION_OLD', ['version'], 'the current version of the grammar is 1.0.0', '1.0.0');
  const seen = new Set<string>();
  for (const [index, entry] of policy.anyOf.entries()) {
    const path: PathStep[] = ['anyOf', index];
    lintAuthorityUrl(entry.authority, [...path, 'authority'], warn);
    if (seen.has(entry.authority)) {
      warn(
        'AUTHORITY_TWICE',
        [...path, 'authority'],
        'this authority stands in the policy twice; either entry suffices',
      );
    }
    seen.add(entry.authority);
    lintStrength(entry, path, warn);
    lintGroup(entry.rule, [...path, entry.rule.kind], warn);
  }
  return findings;
}

type Warn = (
  code: string,
  path: PathStep[],
  message: string,
  suggestion?: string,
  at?: 'key' | 'value',
) => void;

function lintAuthorityUrl(authority: string, path: PathStep[], warn: Warn): void {
  if (!URL.canParse(authority) || !authority.startsWith('https://')) {
    const fixed = authority.replace(/^(?:http:\/\/)?/, 'https://');
    warn(
      'AUTHORITY_NOT_HTTPS',
      path,
      'the authority must be an https URL',
      URL.canParse(fixed) ? fixed : undefined,
    );
  } else if (authority.endsWith('/')) {
    const message = 'tokens name their issuer without a trailing slash, so that this authority matches none';
    warn('AUTHORITY_TRAILING_SLASH', path, message, authority.replace(/\/+$/, ''));
  }
}

/** What an authority lets pass, taken over all ways to satisfy it. */
function lintStrength({ rule }: Authority, path: PathStep[], warn: Warn): void {
  const enforced = (predicate: Predicate) => enforces(rule, predicate);
  const pinned = (names: readonly string[]) =>
    enforced(({ claim, operator }) => operator === 'equals' && names.includes(claim));
  const floor = enforced(
    ({ claim, operator }) =>
      included(SGX_CLAIMS.svn, claim) && ['equals', 'greater', 'greaterOrEquals'].includes(operator),
  );
  const measured = pinned(SGX_CLAIMS.mrenclave);
  const signed = pinned(SGX_CLAIMS.mrsigner);
  const at = [...path, rule.kind];
  const sgx = mentions(rule, Object.values(SGX_CLAIMS).flat());
  if (rule.kind === 'anyOf' && rule.conditions.length > 1) {
    const message = 'any single one of these conditions suffices; write allOf if all of them are meant';
    warn('ANY_OF_WEAKENS', at, message, 'allOf', 'key');
  }
  if (!sgx) return;
  const debugRefused = enforced(
    ({ claim, operator, value }) =>
      included(SGX_CLAIMS.debug, claim) &&
      ((operator === 'equals' && String(value) === 'false') ||
        (operator === 'notEquals' && String(value) === 'true')),
  );
  if (!debugRefused) {
    const message = 'debug enclaves pass: the host can read the memory of such an enclave, and the key';
    warn('DEBUG_NOT_REFUSED', at, message, '{"claim":"x-ms-sgx-is-debuggable","equals":"false"}', 'key');
  }
  if (measured) return;
  if (!signed) {
    warn(
      'MEASUREMENT_NOT_REQUIRED',
      at,
      'neither MRENCLAVE nor MRSIGNER is required: any enclave passes',
      undefined,
      'key',
    );
    return;
  }
  if (!pinned(SGX_CLAIMS.product)) {
    const message = 'a rule by signer alone accepts every product that this key has ever signed';
    warn('SIGNER_WITHOUT_PRODUCT', at, message, '{"claim":"x-ms-sgx-product-id","equals":"1"}', 'key');
  }
  if (!floor) {
    const message = 'a rule by signer accepts old, vulnerable builds unless it has a floor';
    warn('SIGNER_WITHOUT_SVN_FLOOR', at, message, '{"claim":"x-ms-sgx-svn","greaterOrEquals":"1"}', 'key');
  }
}

function lintGroup(group: Group, path: PathStep[], warn: Warn): void {
  const values = new Map<string, string>();
  for (const [index, condition] of group.conditions.entries()) {
    const at = [...path, index];
    if (condition.kind !== 'claim') {
      lintGroup(condition, [...at, condition.kind], warn);
      continue;
    }
    lintClaim(condition, at, warn);
    if (group.kind !== 'allOf' || condition.operator !== 'equals') continue;
    const earlier = values.get(condition.claim);
    if (earlier !== undefined && earlier !== String(condition.value)) {
      const message = `"${condition.claim}" cannot have two values at once: this allOf is never satisfied; write anyOf for alternatives`;
      warn('ALL_OF_CONTRADICTION', at, message, 'anyOf');
    }
    values.set(condition.claim, String(condition.value));
  }
}

function lintClaim({ claim, operator, value }: ClaimCondition, path: PathStep[], warn: Warn): void {
  const at = [...path, operator];
  lintClaimName(claim, [...path, 'claim'], warn);
  const hashed = included(SGX_CLAIMS.mrenclave, claim) || included(SGX_CLAIMS.mrsigner, claim);
  if (hashed && (operator === 'equals' || operator === 'notEquals')) {
    const text = String(value);
    if (!/^[0-9a-f]{64}$/.test(text)) {
      const lower = text.toLowerCase();
      const message = `${quoted(value)} is not 64 lower-case hexadecimal digits, so that no token has it`;
      warn('MEASUREMENT_NOT_HEX', at, message, /^[0-9a-f]{64}$/.test(lower) ? lower : undefined);
    } else if (included(SGX_CLAIMS.mrsigner, claim) && operator === 'equals') {
      const reason = publicSigner(text);
      if (reason !== undefined) warn('SIGNER_PUBLIC', at, `${reason}: anybody can sign with it`);
    }
  }
  if (
    !['equals', 'notEquals', 'exists'].includes(operator) &&
    !/^(?:0|-?[1-9][0-9]{0,38})$/.test(String(value))
  ) {
    warn(
      'NUMBER_EXPECTED',
      at,
      `"${operator}" compares whole numbers; with ${quoted(value)} it is never satisfied`,
    );
  }
  if (operator === 'notEquals') {
    warn(
      'NOT_EQUALS_IS_OPEN',
      at,
      `every other value of "${claim}" passes; prefer equals with the values that may pass`,
    );
  }
}

function lintClaimName(claim: string, path: PathStep[], warn: Warn): void {
  const steps = claim.split('.');
  const [first = ''] = steps;
  // The claims of the isolating TEE repeat the names of the outermost level.
  const name = first === 'x-ms-isolation-tee' && steps[1] !== undefined ? steps[1] : first;
  if (OPEN_CLAIMS.has(first) || KNOWN_CLAIMS.has(name)) return;
  const message = `no attestation token is known to have the claim ${quoted(claim)}; without it nothing is released`;
  warn('CLAIM_UNKNOWN', path, message, didYouMean(name, KNOWN_CLAIMS));
}

/** True if every way to satisfy the condition satisfies one that the predicate wants. */
function enforces(condition: ReleaseCondition, predicate: Predicate): boolean {
  if (condition.kind === 'claim') return predicate(condition);
  if (condition.kind === 'allOf') return condition.conditions.some((inner) => enforces(inner, predicate));
  return condition.conditions.every((inner) => enforces(inner, predicate));
}

function mentions(condition: ReleaseCondition, names: readonly string[]): boolean {
  if (condition.kind === 'claim') return names.includes(condition.claim);
  return condition.conditions.some((inner) => mentions(inner, names));
}

function included(names: readonly string[], claim: string): boolean {
  return names.includes(claim);
}
