import type { scone } from '#policy';
import { SignJWT } from 'jose';
import { keyOf } from '../secrets/certificates.js';
import { type MadeSecret, SecretProblem } from '../secrets/made-secret.js';
import { renderText } from '../secrets/render-template.js';

const DEFAULT_SECONDS = 24 * 3_600;
const SOFTWARE_IDENTITY = '$$SCONE::self::software_identity$$';

/**
 * A secret of kind jwt, signed for one service: ES384, with iat, nbf and exp. `software_identity` is the MRENCLAVE in hex; how a CAS
 * writes it is not documented.
 */
export async function signToken(
  { name, payload, validForSeconds = DEFAULT_SECONDS }: scone.SconeSecret,
  signer: MadeSecret | undefined,
  values: ReadonlyMap<string, MadeSecret>,
  mrenclave: string | undefined,
  now: Date,
): Promise<string> {
  if (signer?.kind !== 'private-key' || signer.keyType !== 'P-384')
    throw new SecretProblem('SCONE_SECRET_UNKNOWN', `"${name}" names no private-key of type P-384`);
  const claims: Record<string, string> = {};
  for (const [claim, text] of payload ?? []) {
    if (text !== SOFTWARE_IDENTITY) claims[claim] = renderText(text, values);
    else if (mrenclave !== undefined) claims[claim] = mrenclave;
    else throw new SecretProblem('SCONE_SECRET_UNKNOWN', 'the identity of the enclave is not known here');
  }
  const seconds = Math.floor(now.getTime() / 1_000);
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'ES384', typ: 'JWT' })
    .setIssuedAt(seconds)
    .setNotBefore(seconds)
    .setExpirationTime(seconds + validForSeconds)
    .sign(keyOf(signer.privateKey));
}
