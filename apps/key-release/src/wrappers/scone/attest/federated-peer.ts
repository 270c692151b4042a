import type { Condition, scone } from '#policy';
import { createPublicKey, hash, X509Certificate } from 'node:crypto';
import { errors, jwtVerify } from 'jose';
import type { SconeClient } from '../session/client.js';
import type { FederatedService } from '../settings-file.js';
import type { FirstUses } from './once.js';
import { refused } from './service-policy.js';

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const MAX_TOKEN_SECONDS = 25 * 3_600;
const MAX_TOKEN_CHARACTERS = 8 * 1_024;

/** What vouches for a service in the place of a quote. */
export interface FederatedEvidence {
  readonly format: 'scone-x509' | 'scone-jwt';
  /** SHA-256 of the client certificate, or of the token. */
  readonly sha256: string;
  readonly mrenclave?: string;
  readonly conditions: readonly Condition[];
}

/**
 * Whether a client is the service that a pinned CAS attested: its certificate was issued by the pinned authority for clients; where the
 * entry asks for a token, that is signed by the pinned key, is shown by this certificate alone, and names an enclave of the service.
 * @throws Denial
 */
export async function federatedEvidence(
  client: SconeClient,
  entry: FederatedService,
  service: scone.SconeService,
  token: string | undefined,
  context: { tenant: string; firstUses: FirstUses; now: Date },
): Promise<FederatedEvidence> {
  const { certificate } = client;
  if (!certificate) throw refused('SCONE_PEER_UNKNOWN', 'no client certificate, and no evidence');
  requireIssued(certificate, new X509Certificate(entry.authority), context.now);
  const issued: Condition = { name: 'federation.authority', expected: 'pinned', actual: 'pinned', ok: true };
  const thumbprint = hash('sha256', certificate.raw, 'hex');
  if (!entry.token) return { format: 'scone-x509', sha256: thumbprint, conditions: [issued] };
  if (token === undefined || token.length > MAX_TOKEN_CHARACTERS)
    throw refused('SCONE_TOKEN_MISSING', 'a token of the CAS is demanded besides the certificate');
  const mrenclave = await identityOf(token, entry.token, context.now);
  const accepted = service.variants.flatMap((variant) => (variant.signer ? [] : (variant.mrenclave ?? [])));
  if (!accepted.includes(mrenclave))
    throw refused('MEASUREMENT_NOT_ALLOWED', 'the token names an enclave that is none of the service');
  const first = await context.firstUses.claim(context.tenant, `token ${token}`, thumbprint);
  if (!first) throw refused('SCONE_TOKEN_REPLAYED', 'the token was shown by another client before');
  return {
    format: 'scone-jwt',
    sha256: hash('sha256', token, 'hex'),
    mrenclave,
    conditions: [
      issued,
      { name: 'identity.mrenclave', expected: accepted.slice(0, 8), actual: mrenclave, ok: true },
    ],
  };
}

function requireIssued(certificate: X509Certificate, authority: X509Certificate, now: Date): void {
  const at = now.getTime();
  const valid = [certificate, authority].every(
    ({ validFrom, validTo }) => Date.parse(validFrom) <= at && at < Date.parse(validTo),
  );
  const issued = certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
  if (!issued || certificate.ca)
    throw refused('SCONE_PEER_UNKNOWN', 'the certificate was not issued by the pinned authority');
  if (!valid) throw refused('SCONE_PEER_EXPIRED', 'the certificate or its authority is not valid now');
  if (!certificate.keyUsage.includes(CLIENT_AUTH))
    throw refused('SCONE_PEER_UNKNOWN', 'the certificate is not one for clients');
}

/** The MRENCLAVE that a token names. */
async function identityOf(
  token: string,
  { publicKey, claim, prefix }: NonNullable<FederatedService['token']>,
  now: Date,
): Promise<string> {
  let claims: Record<string, unknown>;
  try {
    const { payload } = await jwtVerify(token, createPublicKey(publicKey), {
      algorithms: ['ES384'],
      requiredClaims: ['iat', 'exp'],
      currentDate: now,
      maxTokenAge: MAX_TOKEN_SECONDS,
    });
    claims = payload;
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) throw error;
    throw refused('SCONE_TOKEN_INVALID', `the token was not accepted (${error.code})`);
  }
  if (Number(claims['exp']) - Number(claims['iat']) > MAX_TOKEN_SECONDS)
    throw refused('SCONE_TOKEN_INVALID', 'the token is for longer than a day');
  const identity = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  const text =
    typeof identity === 'string' && identity.startsWith(prefix) ? identity.slice(prefix.length) : '';
  if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase();
  throw refused('SCONE_TOKEN_INVALID', `the token's claim "${claim}" is no measurement`);
}
