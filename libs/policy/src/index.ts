/**
 * Who may have what: manifests, their validation, and decisions with an explanation. Pure: no I/O, no clock, no Nest.
 */
export type { LintProblem } from './problem.js';
export { lintManifest, parseManifest } from './manifest/parse-manifest.js';
export type { ParseOptions, ParseResult } from './manifest/parse-manifest.js';
export { manifestDigest } from './manifest/digest.js';
export { manifestJsonSchema } from './manifest/json-schema.js';
export { ManifestSchema, SGX_TYPES, TCB_STATUSES } from './manifest/schema.js';
export type { Manifest, SecretEntry, TcbStatusName, Workload } from './manifest/schema.js';
export { GRAMINE_DELIVERIES, GRAMINE_STRING_BYTES } from './manifest/gramine-schema.js';
export type { GramineDelivery, GramineEncoding } from './manifest/gramine-schema.js';
export {
  carriedExactly,
  OCCLUM_IMAGE_KEY,
  OCCLUM_IMAGE_KEY_BYTES,
  occlumLimit,
} from './manifest/occlum-schema.js';
export type { OcclumForm, OcclumProtocol } from './manifest/occlum-schema.js';
export type { Identity } from './manifest/identity-schema.js';
export { durationSeconds } from './manifest/formats.js';
export { isZeroMeasurement, publicSigner } from './lint/public-signers.js';
export { DOCUMENT_LIMITS } from './document/limits.js';
export { compileManifest, PolicyError } from './decision/compile.js';
export type { CompiledManifest, CompiledWorkload, CompileOptions } from './decision/compile.js';
export { MAX_SESSION_SECONDS } from './decision/grants.js';
export { decide } from './decision/decide.js';
export type { AttestedClaims } from './decision/claims.js';
export type {
  CertificateGrant,
  Condition,
  ConditionValue,
  Decision,
  DecisionRequest,
  GramineGrant,
  Grants,
  OcclumAnswerGrant,
  OcclumGrant,
  ResourceGrant,
  SecretGrant,
} from './decision/decision.js';
export { appraisePlatform } from './decision/appraise-platform.js';
export type { PlatformAppraisal, PlatformState } from './decision/appraise-platform.js';
export { DENIAL_CODES } from './decision/denial-codes.js';
export type { DenialCode } from './decision/denial-codes.js';
export { argvReferences, renderArgv } from './argv-template.js';

export { evaluateReleasePolicy } from './akv-release-policy/evaluate-release-policy.js';
export type {
  ReleaseDecision,
  ReleaseToken,
  ReleaseTrace,
  Unmet,
} from './akv-release-policy/evaluate-release-policy.js';
export { importReleasePolicy } from './akv-release-policy/import-release-policy.js';
export type {
  ImportedPolicy,
  ImportEntry,
  ImportResult,
} from './akv-release-policy/import-release-policy.js';
export { lintReleasePolicy, parseReleasePolicy } from './akv-release-policy/parse-release-policy.js';
export type { ReleasePolicyResult } from './akv-release-policy/parse-release-policy.js';
export {
  OPERATORS as RELEASE_POLICY_OPERATORS,
  RELEASE_POLICY_LIMITS,
} from './akv-release-policy/grammar.js';
export type {
  Authority,
  ClaimCondition,
  Group,
  Operator,
  PolicyValue,
  ReleaseCondition,
  ReleasePolicy,
} from './akv-release-policy/grammar.js';

export { evaluateMaaPolicy } from './maa-policy/evaluate-maa-policy.js';
export type { MaaDecision, MaaRuleTrace } from './maa-policy/evaluate-maa-policy.js';
export { importMaaPolicy } from './maa-policy/import-maa-policy.js';
export { parseMaaPolicy } from './maa-policy/parse-maa-policy.js';
export { maaPolicyHash } from './maa-policy/policy-hash.js';
export { MAX_MAA_POLICY_CHARACTERS, MaaPolicyError } from './maa-policy/syntax.js';
export type { MaaClaim, MaaPolicy, MaaValue } from './maa-policy/syntax.js';

/** SCONE sessions. */
export * as scone from './scone-session/index.js';

/** MarbleRun manifests. */
export * as marblerun from './marblerun-manifest/index.js';

export { MAX_TRUSTEE_POLICY_CHARACTERS, recogniseTrusteePolicy } from './trustee-policy/stock-policies.js';
export type { TrusteePolicyMeaning } from './trustee-policy/stock-policies.js';
export type { FortanixConfiguration, FortanixConnection, FortanixGrant } from './decision/fortanix-grant.js';
