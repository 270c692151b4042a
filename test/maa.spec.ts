import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { b64u, front, quote, startWorld, stopWorld } from './maa/attested-world.js';
import { genuineCases } from './maa/genuine-cases.js';
import { requestCases } from './maa/request-cases.js';
import { sdkCases } from './maa/sdk-cases.js';
import { tokenCases } from './maa/token-cases.js';

jest.setTimeout(180_000);

// One deployment for all of it.
beforeAll(startWorld);
afterAll(stopWorld);

sdkCases();
tokenCases();
requestCases();
genuineCases();

describe('without the log', () => {
  it('no token leaves', async () => {
    await front.siegel.frozen('audit', async () => {
      const answer = await front.attest('SgxEnclave', { quote: b64u(quote()) });
      expect(answer.status).toBe(503);
      expect((answer.body as { error: { code: string } }).error.code).toBe('ServiceUnavailable');
      expect(answer.text).not.toContain('token"');
    });
  });
});
