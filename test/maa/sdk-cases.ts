import { generateKeyPairSync, hash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { maaPolicyHash } from '#policy';
import type { QuoteRequest } from '#simulator';
import { measured, SIGNER, TENANT } from '../harness/index.js';
import { b64, front, HELD, onlyEvent, parts, quote, reportData, tail } from './attested-world.js';
import { openEnclaveReport, SIGNER_POLICY } from './front.js';

/** Microsoft's SDK against the front. */
export function sdkCases(): void {
  describe('the SDK @azure/attestation, unmodified', () => {
    it('attests an SGX enclave with binary runtime data', async () => {
      const { sdk, issuer } = front;
      const request = { evidence: b64(quote()), runTimeData: b64(HELD) };
      const { body } = await sdk.done({ call: 'attestSgxEnclave', ...request });
      expect(body).toMatchObject({
        issuer,
        version: '1.0',
        isDebuggable: false,
        mrEnclave: measured('maa'),
        mrSigner: SIGNER,
        productId: 1,
        svn: 3,
        enclaveHeldData: b64(HELD),
      });
      const event = await onlyEvent('token.issued');
      expect(event).toMatchObject({
        tenant: TENANT,
        outcome: 'granted',
        mrenclave: measured('maa'),
        tcbStatus: 'UpToDate',
        simulated: true,
        emitter: { name: 'quote-verifier' },
      });
      expect(event.data).toMatchObject({
        protocol: 'maa',
        kind: 'SgxEnclave',
        apiVersion: '2020-10-01',
        issuer,
        runtimeDataSha256: hash('sha256', HELD, 'hex'),
      });
    });

    it('attests an SGX enclave with JSON runtime data, and the key in it is confirmed', async () => {
      const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
      const text = JSON.stringify({
        keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k', use: 'enc' }],
      });
      const runTimeJson = Buffer.from(text);
      const evidence = b64(quote({ reportData: reportData(runTimeJson) }));
      const { body, token } = await front.sdk.done({
        call: 'attestSgxEnclave',
        evidence,
        runTimeJson: b64(runTimeJson),
      });
      expect(body['runTimeClaims']).toEqual(JSON.parse(text));
      expect(body['enclaveHeldData']).toBeUndefined();
      expect(parts(token).claims['cnf']).toEqual({ jkt: expect.any(String) });
      await onlyEvent('token.issued');
    });

    it('attests an Open Enclave report, by the policy of the tenant', async () => {
      const evidence = b64(openEnclaveReport(quote()));
      const { body, token } = await front.sdk.done({
        call: 'attestOpenEnclave',
        evidence,
        runTimeData: b64(HELD),
      });
      expect(body['policyHash']).toBe(b64(Buffer.from(maaPolicyHash(SIGNER_POLICY(SIGNER)), 'base64url')));
      const { claims } = parts(token);
      expect({ minutes: (claims['exp'] - claims['iat']) / 60, issued: claims['sgx-mrsigner'] }).toEqual({
        minutes: 2,
        issued: SIGNER,
      });
      expect(
        (await onlyEvent('token.issued')).data.conditions.map(({ name, ok }) => `${name} ${ok}`),
      ).toEqual([
        'tcb-status true',
        'debug true',
        'tcb-evaluation true',
        'advisories true',
        'policy line 4 deny true',
        'policy line 5 permit true',
      ]);
    });

    it('reads metadata, signers, policies and their signers; and cannot change them', async () => {
      const { sdk, issuer } = front;
      expect((await sdk.done({ call: 'getOpenIdMetadata' })).body).toMatchObject({
        issuer,
        jwks_uri: `${issuer}/certs`,
      });
      expect((await sdk.done({ call: 'getAttestationSigners' })).body).toHaveLength(1);
      const policy = async (kind: string) => (await sdk.done({ call: 'getPolicy', kind })).body;
      expect(await policy('OpenEnclave')).toBe(SIGNER_POLICY(SIGNER));
      expect(await policy('SgxEnclave')).toContain('issue(type="tee", value=c.value)');
      expect((await sdk.done({ call: 'getPolicyManagementCertificates' })).body).toEqual([]);
      for (const call of ['setPolicy', 'resetPolicy'] as const)
        expect((await sdk.call({ call })).error).toMatchObject({ statusCode: 403 });
      expect(await tail.next()).toEqual([]);
    });

    it('tries a draft policy: what it gets is not signed, and says so', async () => {
      const draftPolicyForAttestation = SIGNER_POLICY(SIGNER).replace('version= 1.0', 'version= 1.2');
      const request = { call: 'attestSgxEnclave', runTimeData: b64(HELD) } as const;
      const { token } = await front.sdk.done({
        ...request,
        evidence: b64(quote()),
        draftPolicyForAttestation,
      });
      const { header, claims, signature } = parts(token);
      expect({
        header,
        signature,
        dry: claims['x-siegel-dry-run'],
        policy: claims['x-ms-policy-hash'],
      }).toEqual({
        header: { alg: 'none', typ: 'JWT' },
        signature: '',
        dry: true,
        policy: maaPolicyHash(draftPolicyForAttestation),
      });
      expect((await onlyEvent('token.drafted')).data.permitted).toBe(true);
      // What a draft permits, the tenant's own conditions still decide.
      const { error } = await front.sdk.call({
        ...request,
        evidence: b64(quote({ debug: true } as QuoteRequest)),
        draftPolicyForAttestation: 'version= 1.0; authorizationrules { => permit(); }; issuancerules {};',
      });
      expect(error).toMatchObject({ statusCode: 400, code: 'PolicyEvaluationError' });
      expect((await onlyEvent('token.drafted')).data.permitted).toBe(false);
    });

    it('is told why it is refused', async () => {
      const request = { evidence: b64(quote()), runTimeData: b64(Buffer.from('other')) };
      const { error } = await front.sdk.call({ call: 'attestSgxEnclave', ...request });
      expect(error).toMatchObject({ statusCode: 400, code: 'InvalidParameter' });
      expect((await onlyEvent('token.refused')).reason?.code).toBe('BINDING_MISMATCH');
    });
  });
}
