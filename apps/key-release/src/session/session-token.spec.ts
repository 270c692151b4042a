import { LocalSigner, PublicKey, SigningKeys } from '#pki';
import { describe, expect, it } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import type { KeyReleaseEnvironment } from '../environment.js';
import { ATTESTED_SESSION } from './session-fixtures.js';
import { SessionTokens } from './session-token.js';

const tokens = new SessionTokens(
  SigningKeys.of([{ signer: LocalSigner.generate('ES256'), signsFrom: new Date(0) }]),
  { SIEGEL_PUBLIC_URL: 'https://siegel.test', SIEGEL_TOKEN_TTL_SECONDS: 900 } as KeyReleaseEnvironment,
);
const key = PublicKey.fromKeyObject(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey);
const issued = async (binding: string): Promise<string> =>
  (await tokens.issue({ ...ATTESTED_SESSION, binding }, key, 'jti', 60, new Date())).token;
const payload = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Record<string, unknown>;

describe('an attestation token', () => {
  it('names the key that the evidence is bound to', async () => {
    const token = await issued('sha256-spki');
    expect(payload(token)).toMatchObject({ cnf: { jkt: key.thumbprint, jwk: key.jwk } });
    expect(await tokens.open(token, new Date())).toMatchObject({ thumbprint: key.thumbprint });
  });

  it.each(['raw-nonce', 'a convention of tomorrow'])(
    'vouches for no key where %s bound none',
    async (binding) => {
      const token = await issued(binding);
      expect(payload(token)).not.toHaveProperty('cnf');
      await expect(tokens.open(token, new Date())).rejects.toMatchObject({
        code: 'TOKEN_INVALID',
        reason: { code: 'TOKEN_CLAIMS' },
      });
    },
  );
});
