import type { LogPromise, VerdictClaims } from '#contracts';
import type { CollateralBundle } from '#dcap';
import { PublicKey } from '#pki';
import type { MaaClaim, MaaDecision, MaaValue } from '#policy';
import { collateralClaim } from './collateral-claim.js';
import { evidenceClaims } from './evidence-claims.js';
import type { AttestRequest } from './request-body.js';
import type { MaaTenant } from './tenants-file.js';

type Claims = Record<string, unknown>;

/** A verified verdict with what its claims need. */
export interface Attested {
  readonly tenant: MaaTenant;
  readonly request: AttestRequest;
  readonly verdict: VerdictClaims & { claims: NonNullable<VerdictClaims['claims']> };
  /** The collateral that the verdict rests on, while this replica holds it. */
  readonly bundle: CollateralBundle | undefined;
}

/**
 * What the service itself vouches for: the evidence in the names of Microsoft Azure Attestation, and what that one leaves out
 * (`x-siegel-…`): the TCB status with its advisories, the collateral, the digest of the evidence.
 */
export function serviceClaims({ tenant, request, verdict, bundle }: Attested): Claims {
  const { claims, collateral, evidence } = verdict;
  const hashes = bundle && claims.tee === 'sgx' ? collateralClaim(request.evidence, bundle) : undefined;
  return {
    ...evidenceClaims(claims, request.evidence),
    ...(hashes === undefined ? {} : { 'x-ms-sgx-collateral': hashes, 'maa-attestationcollateral': hashes }),
    ...heldClaims(request, claims.tee),
    ...(request.nonce === undefined ? {} : { nonce: request.nonce }),
    'x-siegel-tenant': tenant.name,
    'x-siegel-simulated': claims.simulated,
    'x-siegel-tcb-status': claims.tcbStatus,
    'x-siegel-tcb-date': claims.tcbDate,
    'x-siegel-advisories': claims.advisoryIds,
    'x-siegel-fmspc': claims.fmspc,
    'x-siegel-tcb-evaluation': collateral?.tcbEvaluationDataNumber,
    'x-siegel-collateral': collateral && {
      id: collateral.id,
      issued: collateral.earliestIssue,
      expires: collateral.earliestExpiration,
    },
    'x-siegel-evidence-sha256': evidence.sha256,
    'x-siegel-quote-sha256': evidence.signedRegionSha256,
  };
}

/** `JSON` becomes `x-ms-runtime`, `Binary` the held data under its three names; the one key of a JWKS is confirmed by `cnf` (RFC 7800). */
function heldClaims({ runtime, initTime }: AttestRequest, tee: 'sgx' | 'tdx'): Claims {
  const claims: Claims = {};
  if (runtime?.json !== undefined) {
    claims['x-ms-runtime'] = runtime.json;
    const confirmed = confirmation(runtime.json);
    if (confirmed !== undefined) claims['cnf'] = confirmed;
  } else if (runtime !== undefined && tee === 'sgx') {
    const held = runtime.bytes.toString('base64url');
    for (const name of ['x-ms-sgx-ehd', 'maa-ehd', 'aas-ehd']) claims[name] = held;
  } else if (runtime !== undefined) claims['x-ms-runtime-data'] = runtime.bytes.toString('base64url');
  if (initTime?.json !== undefined) claims['x-ms-inittime'] = initTime.json;
  return claims;
}

function confirmation(json: unknown): { jkt: string } | undefined {
  const { keys } = json as { keys?: unknown };
  if (!Array.isArray(keys) || keys.length !== 1) return undefined;
  const { kty, n, e, crv, x, y } = (keys[0] ?? {}) as Record<string, unknown>;
  try {
    return { jkt: PublicKey.fromJwk(JSON.parse(JSON.stringify({ kty, n, e, crv, x, y }))).thumbprint };
  } catch {
    return undefined;
  }
}

/** What rules see: claims that are a string, an integer or a boolean; each value of a list is a claim. */
export function policyClaims(claims: Claims): MaaClaim[] {
  return Object.entries(claims).flatMap(([type, value]) =>
    (Array.isArray(value) ? value : [value])
      .filter((each): each is MaaValue => ['string', 'number', 'boolean'].includes(typeof each))
      // The nonce is the caller's word alone: nothing of the evidence binds it.
      .map((value): MaaClaim => ({
        type,
        value,
        issuer: type === 'nonce' ? 'CustomClaim' : 'AttestationService',
      })),
  );
}

/** What a policy issues. It cannot put words into the service's mouth: where both state a claim, the service's stands. */
export function issuedClaims({ issued }: MaaDecision): Claims {
  const claims: Claims = {};
  for (const { type, value } of issued) {
    const before = Object.hasOwn(claims, type) ? claims[type] : undefined;
    const next = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
    Object.defineProperty(claims, type, {
      value: next,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  for (const name of RESERVED) delete claims[name];
  return claims;
}

/** Registered claims that only the service sets. */
const RESERVED = [
  'iss',
  'iat',
  'nbf',
  'exp',
  'jti',
  'aud',
  'sub',
  'cnf',
  'nonce',
  'x-siegel-log',
  'x-siegel-dry-run',
];

/** Where the log keeps the event of this token; its receipt is asked for with this. */
export function logReference(eventId: string, { log, index, time, leafHash }: LogPromise): Claims {
  return { 'x-siegel-log': { event: eventId, log, index, time, leafHash } };
}

/** Registered claims and those of the policy's identity; times in whole seconds. */
export function registeredClaims(
  tenant: MaaTenant,
  policyHash: string,
  tokenId: string,
  now: Date,
  seconds: number,
): Claims {
  const iat = Math.floor(now.getTime() / 1_000);
  return {
    iss: tenant.issuer,
    iat,
    nbf: iat,
    exp: iat + seconds,
    jti: tokenId,
    'x-ms-ver': '1.0',
    'x-ms-policy-hash': policyHash,
  };
}
