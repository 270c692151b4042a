import type { scone } from '#policy';
import { X509Certificate } from 'node:crypto';
import type { MadeSecret } from '../secrets/made-secret.js';
import { keyHashOf, sameHash, type SconeClient } from './client.js';

export interface AccessFacts {
  /** SHA-256 of the creator's SPKI. */
  readonly creator: string;
  readonly secrets: Readonly<Record<string, MadeSecret>>;
  /** What SCONE's key hashes stand for; said by the operator. */
  readonly keyHashes: Readonly<Record<string, string>>;
}

/** A right that a policy does not mention is that of another, or the creator's. */
const FALLBACK: Readonly<Partial<Record<scone.AccessRight, scone.AccessRight>>> = {
  create_sessions: 'update',
  list_sessions: 'read',
};

/**
 * Whether a client has a right. Signers and quorums of others cannot be met here: the form in which a CAS takes signed sessions is not
 * public.
 */
export function permits(
  policy: scone.AccessPolicy,
  right: scone.AccessRight,
  client: SconeClient,
  facts: AccessFacts,
): boolean {
  // A fragment is another session's; what it says is not known here, so that it lets nobody in.
  if (policy.reference) return false;
  const fallback = FALLBACK[right];
  const principals = policy[right] ?? (fallback && policy[fallback]) ?? [{ kind: 'creator' as const }];
  return principals.some((principal) => matches(principal, client, facts));
}

function matches(principal: scone.Principal, client: SconeClient, facts: AccessFacts): boolean {
  switch (principal.kind) {
    case 'any':
      return true;
    case 'creator':
      return sameHash(client.key, facts.creator);
    case 'certificate':
      return sameHash(client.key, keyOfPem(principal.value));
    case 'key-hash':
      return Object.hasOwn(facts.keyHashes, principal.value)
        ? sameHash(client.key, facts.keyHashes[principal.value])
        : false;
    case 'reference': {
      const secret = Object.hasOwn(facts.secrets, principal.secret)
        ? facts.secrets[principal.secret]
        : undefined;
      return secret && 'certificate' in secret ? sameHash(client.key, keyOfPem(secret.certificate)) : false;
    }
    case 'threshold': {
      // One client is one voice, whatever it is called.
      const met = principal.of.some((one) => matches(one, client, facts));
      return met && principal.least === 1;
    }
    case 'signer':
    case 'none':
      return false;
  }
}

function keyOfPem(pem: string): string | undefined {
  try {
    return keyHashOf(new X509Certificate(pem));
  } catch {
    return undefined;
  }
}
