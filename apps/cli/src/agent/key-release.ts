import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { AgentError } from './agent-error.js';
import { attestationToken, memberOf } from './attestation.js';
import { azureError, type Endpoints } from './endpoints.js';
import type { EvidenceProvider } from './evidence-provider.js';
import { unwrapKey } from './key-unwrap.js';
import { readRelease } from './release-answer.js';

const API_VERSION = '7.4';
const RSA_BITS = 2_048;
const KID = /^[0-9A-Za-z-]{1,127}(?:\/[0-9A-Za-z]{1,64})?$/;
const generate = promisify(generateKeyPair);

export interface KeyReleaseRequest {
  readonly maa: string;
  readonly akv: string;
  /** Name of the key, perhaps with `/` and a version. */
  readonly kid: string;
  /** Of Entra, for Key Vault itself; our endpoint needs none. */
  readonly accessToken: string | undefined;
}

/**
 * Secure key release as the sidecar does it: a new RSA key, its JWKS as runtime data of the evidence, a token over it, the release for that
 * token, verified and unwrapped. The RSA key lives for one release, so an answer cannot be replayed.
 * @throws AgentError
 */
export async function releaseKey(
  provider: EvidenceProvider,
  endpoints: Endpoints,
  { maa, akv, kid, accessToken }: KeyReleaseRequest,
): Promise<Record<string, unknown>> {
  if (!KID.test(kid)) throw new AgentError('REQUEST_MALFORMED', 'kid is a name, perhaps with a version');
  const { publicKey, privateKey } = await generate('rsa', { modulusLength: RSA_BITS });
  const { e, n } = publicKey.export({ format: 'jwk' });
  const jwks = { keys: [{ e, key_ops: ['encrypt'], kid: 'siegel-agent', kty: 'RSA', n }] };
  const token = await attestationToken(provider, endpoints, maa, Buffer.from(JSON.stringify(jwks)));
  const answer = await endpoints.post(
    akv,
    `/keys/${kid}/release?api-version=${API_VERSION}`,
    { target: token, enc: 'RSA_AES_KEY_WRAP_256' },
    accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` },
  );
  if (answer.status !== 200)
    throw new AgentError('RELEASE_REFUSED', `releasing the key failed: ${azureError(answer)}`);
  const jws = memberOf(answer.text, 'value');
  if (jws === undefined) throw new AgentError('RELEASE_UNTRUSTED', 'the answer holds no release');
  return unwrapKey(readRelease(jws, akv, kid, endpoints.roots, new Date()), privateKey);
}
