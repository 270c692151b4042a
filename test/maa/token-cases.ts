import { hash, verify, X509Certificate } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { QuoteRequest } from '#simulator';
import { measured, SIGNER, TENANT } from '../harness/index.js';
import { b64u, front, HELD, held, onlyEvent, parts, quote, reportData, tokenOf } from './attested-world.js';
import { OTHER_ISSUER } from './front.js';

const NOW = (): number => Math.floor(Date.now() / 1_000);

/** What a token says. */
export function tokenCases(): void {
  describe('a token', () => {
    it('has header, claims and types as the protocol has them, and what Microsoft leaves out', async () => {
      const answer = await front.attest('SgxEnclave', {
        quote: b64u(quote()),
        runtimeData: held,
        nonce: 'n-1',
      });
      const { header, claims, input, signature } = parts(tokenOf(answer));
      const { keys } = (await front.http.call('GET', '/certs')).body as {
        keys: { kid: string; x5c: string[] }[];
      };
      expect(header).toEqual({ alg: 'RS256', jku: `${front.issuer}/certs`, kid: keys[0]!.kid, typ: 'JWT' });
      const der = keys[0]!.x5c[0]!;
      const certificate = new X509Certificate(
        `-----BEGIN CERTIFICATE-----\n${der}\n-----END CERTIFICATE-----`,
      );
      const good = verify(
        'sha256',
        Buffer.from(input),
        certificate.publicKey,
        Buffer.from(signature, 'base64url'),
      );
      expect({ good, subject: certificate.subject }).toEqual({ good: true, subject: `CN=${front.issuer}` });

      const event = await onlyEvent('token.issued');
      const data = b64u(HELD);
      const collateral = Object.fromEntries(
        [
          'qeidcertshash',
          'qeidcrlhash',
          'qeidhash',
          'quotehash',
          'tcbinfocertshash',
          'tcbinfocrlhash',
          'tcbinfohash',
        ].map((name) => [name, expect.stringMatching(/^[0-9a-f]{64}$/)]),
      );
      expect(claims).toEqual({
        iss: front.issuer,
        iat: expect.any(Number),
        nbf: claims['iat'],
        exp: claims['iat'] + 300,
        jti: event.data.tokenId,
        nonce: 'n-1',
        'x-ms-ver': '1.0',
        'x-ms-attestation-type': 'sgx',
        'x-ms-policy-hash': event.data.policyHash,
        'x-ms-sgx-is-debuggable': false,
        'x-ms-sgx-mrenclave': measured('maa'),
        'x-ms-sgx-mrsigner': SIGNER,
        'x-ms-sgx-product-id': 1,
        'x-ms-sgx-svn': 3,
        'x-ms-sgx-report-data': reportData(HELD).toString('hex'),
        'x-ms-sgx-collateral': collateral,
        'maa-attestationcollateral': collateral,
        'x-ms-sgx-ehd': data,
        'maa-ehd': data,
        'aas-ehd': data,
        'is-debuggable': false,
        'sgx-mrenclave': measured('maa'),
        'sgx-mrsigner': SIGNER,
        'product-id': 1,
        svn: 3,
        tee: 'sgx',
        'x-siegel-tenant': TENANT,
        'x-siegel-simulated': true,
        'x-siegel-tcb-status': 'UpToDate',
        'x-siegel-tcb-date': expect.any(String),
        'x-siegel-advisories': [],
        'x-siegel-fmspc': '00606a000000',
        'x-siegel-tcb-evaluation': expect.any(Number),
        'x-siegel-collateral': {
          id: expect.any(String),
          issued: expect.any(String),
          expires: expect.any(String),
        },
        'x-siegel-evidence-sha256': event.data.evidence!.sha256,
        'x-siegel-quote-sha256': event.data.evidence!.signedRegionSha256,
        'x-siegel-log': {
          event: event.id,
          log: 'siegel.local/log/default',
          index: expect.any(Number),
          time: expect.any(Number),
          leafHash: expect.stringMatching(/^[0-9a-f]{64}$/),
        },
      });
      expect(Math.abs(claims['iat'] - NOW())).toBeLessThan(30);
      expect(answer.headers).toMatchObject({
        'x-ms-request-id': event.id,
        'x-ms-maa-service-version': expect.any(String),
        'cache-control': 'no-store',
      });
      // The receipt that the reference leads to is this event's.
      const [logged] = (await front.siegel.log.all({ type: 'token.issued' })).slice(-1);
      expect(claims['x-siegel-log']).toMatchObject({ index: logged!.index });
    });

    it('has the claims of key separation where the enclave has it, with init-time data in CONFIGID', async () => {
      const init = Buffer.from('{"policy":1}');
      const configId = Buffer.concat([hash('sha256', init, 'buffer'), Buffer.alloc(32)]);
      const attributes = Buffer.from('85000000000000000700000000000000', 'hex');
      const body = (evidence: Buffer, dataType = 'JSON') => ({
        quote: b64u(evidence),
        initTimeData: { data: b64u(init), dataType },
      });
      const kss = quote({ attributes, configId, configSvn: 7 } as QuoteRequest);
      const { claims } = parts(tokenOf(await front.attest('SgxEnclave', body(kss))));
      expect(claims).toMatchObject({
        'x-ms-inittime': { policy: 1 },
        'x-ms-sgx-config-id': configId.toString('hex'),
        'x-ms-sgx-config-svn': 7,
        'x-ms-sgx-isv-extended-product-id': '00'.repeat(16),
        'x-ms-sgx-isv-family-id': '00'.repeat(16),
      });
      await onlyEvent('token.issued');
      const codes: unknown[] = [];
      for (const evidence of [quote({ configId } as QuoteRequest), quote({ attributes } as QuoteRequest)]) {
        const answer = await front.attest('SgxEnclave', body(evidence));
        codes.push([answer.status, (answer.body as { error: { innererror: object } }).error.innererror]);
        await onlyEvent('token.refused');
      }
      expect(codes).toEqual([
        [400, { code: 'INIT_TIME_UNSUPPORTED' }],
        [400, { code: 'INIT_TIME_MISMATCH' }],
      ]);
    });

    it('of a TD has the names of the EAT profile', async () => {
      const td = front.siegel.machines.sgx
        .platform({ name: 'demo' })
        .quote({ tee: 'tdx', mrtd: 'ab'.repeat(48), reportData: reportData(HELD) } as QuoteRequest);
      const runtimeData = { data: b64u(HELD), dataType: 'Binary' };
      const { claims } = parts(tokenOf(await front.attest('tdxvm', { quote: b64u(td), runtimeData })));
      expect(claims).toMatchObject({
        'x-ms-attestation-type': 'tdxvm',
        eat_profile: 'https://aka.ms/maa-eat-profile-tdxvm',
        intuse: 'generic',
        dbgstat: 'disabled',
        attester_tcb_status: 'UpToDate',
        tdx_mrtd: 'ab'.repeat(48),
        tdx_report_data: reportData(HELD).toString('hex'),
        tdx_td_attributes_debug: false,
        tdx_td_attributes_septve_disable: true,
        tdx_seamsvn: expect.any(Number),
      });
      await onlyEvent('token.issued');
    });

    it('is of its tenant alone: issuer, keys and host belong together', async () => {
      const other = await front.at('other.svc.example', '/.well-known/openid-configuration');
      expect(other.body).toMatchObject({ issuer: OTHER_ISSUER, jwks_uri: `${OTHER_ISSUER}/certs` });
      const kid = async (host: string): Promise<string> =>
        ((await front.at(host, '/certs')).body as { keys: { kid: string }[] }).keys[0]!.kid;
      expect(await kid('other.attest.example:443')).not.toBe(await kid('localhost'));
      const stranger = await front.at('stranger.example', '/certs');
      expect(stranger.status).toBe(404);
    });
  });
}
