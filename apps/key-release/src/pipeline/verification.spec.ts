import { describe, expect, it } from '@jest/globals';
import { errorFromWire, MAX_EVIDENCE_BYTES } from '#contracts';
import type { NatsRequests, Trust } from '#platform';
import type { KeyReleaseEnvironment } from '../environment.js';
import { VerificationClient } from './verification.js';

const INPUT = { tenant: 'default', format: 'auto', evidence: Buffer.from('evidence') } as const;

/** A verifier that refuses in the headers of its reply, as whoever holds the broker can. */
function refusing(code: string, asked: string[] = []): VerificationClient {
  const requests = {
    request: (_subject: string, body: string) => {
      asked.push(body);
      return Promise.reject(errorFromWire(code, 'said the broker'));
    },
  } as unknown as NatsRequests;
  const trust = { verifiers: new Map() } as unknown as Trust;
  const environment = { SIEGEL_VERIFY_TIMEOUT_MS: 100, SIEGEL_SIMULATION: false } as KeyReleaseEnvironment;
  return new VerificationClient(requests, trust, environment);
}

describe('a refusal that no verifier signed', () => {
  it.each(['RELEASE_DENIED', 'EVIDENCE_REJECTED', 'REQUEST_MALFORMED', 'PROOF_REPLAYED', 'RATE_LIMITED'])(
    '%s decides nothing: it is an outage',
    async (code) => {
      const refused = refusing(code).verify(INPUT);
      await expect(refused).rejects.toMatchObject({
        code: 'VERDICT_INVALID',
        reason: { code: 'VERDICT_UNSIGNED', message: expect.stringContaining(code) },
      });
    },
  );

  it.each(['OVERLOADED', 'COLLATERAL_UNAVAILABLE', 'SHUTTING_DOWN'])(
    '%s says when to retry',
    async (code) => {
      await expect(refusing(code).verify(INPUT)).rejects.toMatchObject({ code });
    },
  );

  it('what the verifier would refuse for its size is refused here, by our own measure', async () => {
    const asked: string[] = [];
    const client = refusing('OVERLOADED', asked);
    const large = Buffer.alloc(MAX_EVIDENCE_BYTES + 1);
    await expect(client.verify({ ...INPUT, evidence: large })).rejects.toMatchObject({
      code: 'EVIDENCE_TOO_LARGE',
    });
    await expect(client.verify({ ...INPUT, evidence: Buffer.alloc(0) })).rejects.toMatchObject({
      code: 'EVIDENCE_EMPTY',
    });
    expect(asked).toEqual([]);
  });
});
