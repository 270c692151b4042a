import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Deployment, type Verifier } from './verifier-deployment.js';

describe('quote-verifier: evidence in, signed verdict out', () => {
  let deployment: Deployment;
  let verifier: Verifier;

  beforeAll(async () => {
    deployment = await Deployment.start();
    const platform = deployment.sgx.platform({ name: 'one' });
    deployment.writeBundle('one.json', deployment.sgx.collateral({ platform }));
    verifier = await deployment.verifier();
  }, 60_000);
  afterAll(() => deployment.stop());

  it('verifies a quote', async () => {
    const reportData = Buffer.alloc(64, 7);
    const quote = deployment.sgx.platform({ name: 'one' }).quote({ reportData });
    const { claims } = await deployment.verify(quote);
    if (!claims.verified) throw new Error(JSON.stringify(claims) + verifier.log());
    expect(claims).toMatchObject({ verified: true, claims: { tcbStatus: 'UpToDate', simulated: true } });
  });
});
