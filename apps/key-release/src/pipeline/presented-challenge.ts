import { SiegelError } from '#contracts';
import type { ChallengeMinter } from '#pki';
import { Denial } from './denial.js';

/** The bytes of a challenge that this deployment minted and nobody has used. @throws Denial, SiegelError where the cache is full */
export function challengeNonce(challenges: ChallengeMinter, challenge: string): Buffer {
  const verdict = challenges.check(challenge, new Date());
  if (verdict.ok) return verdict.nonce;
  const reason = { code: verdict.code, message: 'the challenge was not accepted' };
  switch (verdict.code) {
    case 'CHALLENGE_EXPIRED':
      throw Denial.of('CHALLENGE_EXPIRED', reason);
    case 'CHALLENGE_REPLAYED':
      throw Denial.of('CHALLENGE_REPLAYED', reason);
    case 'CHALLENGE_CACHE_FULL':
      throw new SiegelError('OVERLOADED', { reason });
    default:
      throw Denial.of('CHALLENGE_INVALID', reason);
  }
}
