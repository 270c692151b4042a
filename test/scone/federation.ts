import { describe, expect, it } from '@jest/globals';
import { SignJWT } from 'jose';
import { generateKeyPairSync } from 'node:crypto';
import { measured } from '../harness/index.js';
import { certificate, type Identity } from './client-certificate.js';
import type { SconeDeployment } from './deployment.js';
import { refused } from './refused.js';

const TOKEN_KEY = generateKeyPairSync('ec', { namedCurve: 'P-384' });
/** What the CAS that attests elsewhere signs its tokens with. */
export const PEER_TOKEN_KEY = TOKEN_KEY.publicKey.export({ format: 'pem', type: 'spki' }).toString();

/** @param cas with the sessions `plain` and `tokens` of that CAS's services */
export function federation(cas: () => SconeDeployment): void {
  describe('a service that another CAS attested', () => {
    const by = (identity: Identity, fields: object = {}) =>
      cas().call(
        'POST',
        '/siegel/v1/attest',
        JSON.stringify({ session: 'plain', service: 'app', arguments: ['h', 'one'], ...fields }),
        identity,
      );
    const token = (
      claims: Record<string, unknown> = { mrenclave: `mr:${measured('app')}` },
      key = TOKEN_KEY.privateKey,
    ) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'ES384' })
        .setIssuedAt()
        .setExpirationTime('1h')
        .sign(key);

    it('gets its release by the client certificate of that CAS', async () => {
      await cas().events();
      const peer = await certificate('peer', { issuer: cas().authority });
      const { status, body } = await by(peer);
      expect(status).toBe(200);
      expect(body).toMatchObject({ release: { environment: { DB: 'from the vault' } } });
      expect(await cas().events()).toMatchObject([
        { type: 'attestation.granted', data: { evidence: { format: 'scone-x509' }, challenge: false } },
      ]);
    });

    it('and by its token, shown by one client', async () => {
      const peer = await certificate('peer', { issuer: cas().authority });
      const shown = { session: 'tokens', token: await token() };
      await cas().events();
      expect([(await by(peer, shown)).status, (await by(peer, shown)).status]).toEqual([200, 200]);
      expect((await cas().events())[0]).toMatchObject({
        ...{ type: 'attestation.granted', workload: 'tokens/app', mrenclave: measured('app') },
        data: { evidence: { format: 'scone-jwt' }, binding: 'tls-client-certificate' },
      });
      const other = await certificate('other', { issuer: cas().authority });
      await refused(cas(), () => by(other, shown), 403, 'SCONE_TOKEN_REPLAYED');
    });

    it('is refused, with one event each', async () => {
      const peer = await certificate('peer', { issuer: cas().authority });
      const forged = await certificate('authority of a CAS', { authority: true });
      await refused(cas(), async () => by(await certificate('peer')), 403, 'SCONE_PEER_UNKNOWN');
      await refused(
        cas(),
        async () => by(await certificate('peer', { issuer: forged })),
        403,
        'SCONE_PEER_UNKNOWN',
      );
      const server = await certificate('peer', { issuer: cas().authority, usage: '1.3.6.1.5.5.7.3.1' });
      await refused(cas(), () => by(server), 403, 'SCONE_PEER_UNKNOWN');
      const old = await certificate('peer', {
        issuer: cas().authority,
        notAfter: new Date(Date.now() - 1_000),
      });
      await refused(cas(), () => by(old), 403, 'SCONE_PEER_EXPIRED');
      await refused(cas(), () => by(peer, { session: 'factors' }), 403, 'SCONE_NOT_FEDERATED');
      const shown = (text: string) => () => by(peer, { session: 'tokens', token: text });
      await refused(cas(), () => by(peer, { session: 'tokens' }), 403, 'SCONE_TOKEN_MISSING');
      const foreign = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
      await refused(cas(), shown(await token(undefined, foreign)), 403, 'SCONE_TOKEN_INVALID');
      await refused(cas(), shown(await token({ mrenclave: measured('app') })), 403, 'SCONE_TOKEN_INVALID');
      await refused(
        cas(),
        shown(await token({ mrenclave: `mr:${measured('unknown')}` })),
        403,
        'MEASUREMENT_NOT_ALLOWED',
      );
      const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${(await token()).split('.')[1]!}.`;
      await refused(cas(), shown(none), 403, 'SCONE_TOKEN_INVALID');
    });
  });
}
