import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { b64, b64u, front, parts } from './attested-world.js';
import { openEnclaveReport } from './front.js';
import { clockShiftedBy, GenuineVerifier } from './genuine-verifier.js';
import { SdkClient } from './sdk-client.js';

/** Genuine quotes of Azure machines. */
export function genuineCases(): void {
  describe('genuine Azure quotes, at the time of their collateral', () => {
    const VECTORS = resolve('../shared/vectors/quotes/Azure-Samples+microsoft-azure-attestation');
    const OFFSET = Date.parse('2025-06-23T02:31:00Z') - Date.now();
    const present = existsSync(VECTORS);
    if (!present) process.stdout.write('shared/vectors is absent: no genuine evidence in this run\n');
    const genuine = (name: string): Buffer => readFileSync(join(VECTORS, name, 'quote.bin'));
    const RELEASE = 'e9f0aad4-enclave.info.release';
    /** What Microsoft's sample enclave holds; its SHA-256 stands in the quote. */
    const SAMPLE_HELD = Buffer.from([1, 2, 3, 4, 5, 6]);
    let verifier: GenuineVerifier | undefined;

    const start = async (tenant: object): Promise<GenuineVerifier> => {
      await verifier?.stop();
      verifier = await GenuineVerifier.start(
        front,
        join(VECTORS, RELEASE, 'collateral-2025-06-23-v3-ev19.json'),
        OFFSET,
        tenant,
      );
      return verifier;
    };
    afterAll(async () => verifier?.stop());

    (present ? it : it.skip)('are attested by the SDK where the tenant accepts such platforms', async () => {
      const { issuer } = await start({ tcb: { accept: ['OutOfDate'] }, debug: false });
      const sdk = SdkClient.start(issuer, front.caFile, [clockShiftedBy(OFFSET)]);
      try {
        const sgx = { call: 'attestSgxEnclave', runTimeData: b64(SAMPLE_HELD) } as const;
        const report = b64(openEnclaveReport(genuine(RELEASE)));
        const { body } = await sdk.done({ ...sgx, call: 'attestOpenEnclave', evidence: report });
        expect(body).toMatchObject({
          issuer,
          mrEnclave: 'd37d983a85d63fb49649610e2eba0930ecdbff6d113aca3ff3fc7261696c0134',
          mrSigner: 'feb995eb86c349ac98e5afbbb5732ca7376ec9979002702ea17ad476e0853a04',
          productId: 1,
          svn: 1,
          isDebuggable: false,
          enclaveHeldData: b64(SAMPLE_HELD),
        });
        const second = await sdk.done({
          ...sgx,
          evidence: b64(genuine('075b64c9-enclave.info.securityversion')),
        });
        expect(second.body['svn']).toBe(8888);
        expect(parts(second.token).claims).toMatchObject({
          'x-siegel-simulated': false,
          'x-siegel-tcb-status': 'OutOfDate',
          'x-siegel-tcb-evaluation': 19,
          'x-siegel-advisories': expect.arrayContaining(['INTEL-SA-00828', 'INTEL-SA-00615']),
        });
        const debug = b64(genuine('c3819d79-enclave.info.debug'));
        expect((await sdk.call({ call: 'attestSgxEnclave', evidence: debug })).error).toMatchObject({
          code: 'PolicyEvaluationError',
        });
        const unbound = { ...sgx, evidence: b64(genuine(RELEASE)), runTimeData: b64(Buffer.from([1])) };
        expect((await sdk.call(unbound)).error).toMatchObject({ code: 'InvalidParameter' });
      } finally {
        await sdk.stop();
      }
    });

    (present ? it : it.skip)('are refused by a tenant that says nothing about such platforms', async () => {
      const { http } = await start({});
      const answer = await http.post('/attest/SgxEnclave', { quote: b64u(genuine(RELEASE)) });
      expect(answer.text).toContain('tcb-status: expected UpToDate | SWHardeningNeeded, is OutOfDate.');
    });
  });
}
