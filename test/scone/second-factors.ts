import { describe, expect, it } from '@jest/globals';
import { passwordAt } from '../../apps/key-release/src/wrappers/scone/attest/second-factor.js';
import { certificate } from './client-certificate.js';
import type { SconeDeployment } from './deployment.js';
import { refused } from './refused.js';
import { APP, session } from './sessions.js';

const OTP_SECRET = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
const ASK = { service: 'app', arguments: ['host', 'one'] };

export function secondFactors(cas: () => SconeDeployment): void {
  describe('a service with second factors', () => {
    it('shows its second factors, a one-time password once', async () => {
      const enclave = await certificate('enclave');
      const security = `service_access_token: secret-token, attestation: { one_time_password_shared_secret: ${OTP_SECRET} }`;
      await cas().post(session('factors', APP(security)));
      const secret = Buffer.from('12345678901234567890');
      // RFC 6238 appendix B: T = 1111111109, of eight digits the last six.
      expect(passwordAt(secret, Math.floor(1_111_111_109 / 30))).toBe('081804');
      const oneTimePassword = passwordAt(secret, Math.floor(Date.now() / 30_000));
      const ask = (fields: object) => () => cas().attest(enclave, { ...ASK, session: 'factors', ...fields });
      const both = { accessToken: 'secret-token', oneTimePassword };
      await refused(cas(), ask({ oneTimePassword }), 403, 'SCONE_ACCESS_TOKEN_INVALID');
      await refused(cas(), ask({ accessToken: 'secret-token' }), 403, 'SCONE_OTP_INVALID');
      expect((await ask(both)()).status).toBe(200);
      await refused(cas(), ask(both), 403, 'SCONE_OTP_USED');
    });

    it('cannot try one-time passwords until one is right', async () => {
      const enclave = await certificate('enclave');
      await cas().post(
        session('guessed', APP(`attestation: { one_time_password_shared_secret: ${OTP_SECRET} }`)),
      );
      const right = () => passwordAt(Buffer.from('12345678901234567890'), Math.floor(Date.now() / 30_000));
      const guess = (oneTimePassword: string) =>
        cas().attest(enclave, { ...ASK, session: 'guessed', oneTimePassword });
      // Of all that come at once no more are looked at than of those one after the other.
      const wrong = String((Number(right()) + 7) % 1_000_000).padStart(6, '0');
      await Promise.all(Array.from({ length: 8 }, () => guess(wrong)));
      await refused(cas(), () => guess(right()), 403, 'SCONE_OTP_THROTTLED');
    });
  });
}
