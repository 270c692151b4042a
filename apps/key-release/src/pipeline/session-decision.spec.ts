import type { QuoteClaims } from '#contracts';
import { compileManifest, parseManifest } from '#policy';
import { describe, expect, it } from '@jest/globals';
import type { Standing } from '../appraisal/session-standing.js';
import type { ActiveManifest } from '../manifests/active-manifest.js';
import { ATTESTED_SESSION, ENCLAVE_CLAIMS } from '../session/session-fixtures.js';
import type { SessionClaims } from '../session/session-token.js';
import { Denial } from './denial.js';
import { decideAgain } from './session-decision.js';

const E = 'ab'.repeat(32);
const NOW = new Date('2026-11-23T12:00:00Z');
const MINUTE = 60_000;

function manifest(identity: object): ActiveManifest {
  const parsed = parseManifest(JSON.stringify({ siegel: 'v1', workloads: { app: { identity } } }));
  if (!parsed.ok) throw new Error(parsed.problems[0]?.message);
  const compiled = compileManifest(parsed.manifest, {
    trustDomain: 'siegel.local',
    tenant: 'default',
    acceptSimulated: true,
  });
  return { record: { version: 1, digest: parsed.digest } as ActiveManifest['record'], revision: 1, compiled };
}

const claims = {
  ...ENCLAVE_CLAIMS,
  mrenclave: E,
  mrsigner: 'cd'.repeat(32),
  isvProdId: 0,
  isvSvn: 0,
} as QuoteClaims;

const session = (change: Partial<SessionClaims> = {}): SessionClaims => ({
  ...ATTESTED_SESSION,
  claims,
  startedAt: NOW.getTime() - 20 * MINUTE,
  endsAt: NOW.getTime() + 600 * MINUTE,
  tokenId: 't',
  thumbprint: 'k',
  expiresAt: new Date(NOW.getTime() + MINUTE),
  ...change,
});
const standing = (change: Partial<Standing> = {}): Standing => ({
  claims,
  collateral: undefined,
  appraisedAt: undefined,
  renewable: true,
  ...change,
});
const refusal = (attempt: () => unknown): string => {
  try {
    attempt();
  } catch (error) {
    if (error instanceof Denial) return error.reason.code;
    throw error;
  }
  return 'granted';
};

describe('a session that asks again', () => {
  const plain = manifest({ mrenclave: [E] });

  it('is served after its token where its platform is watched, and not otherwise', () => {
    const over = { expiresAt: new Date(NOW.getTime() - 1) };
    const ask = (own: Partial<SessionClaims>, renewable: boolean) =>
      refusal(() => decideAgain(session(own), standing({ renewable }), plain, NOW));
    expect(ask({}, false)).toBe('granted');
    expect(ask(over, true)).toBe('granted');
    expect(ask(over, false)).toBe('SESSION_NOT_WATCHED');
    expect(ask({ endsAt: NOW.getTime() }, true)).toBe('SESSION_ENDED');
  });

  it('is judged by what its evidence claimed besides as well', () => {
    const claimed = manifest({ mrenclave: [E], claims: { region: ['6575'] } });
    const ask = (customClaims?: Record<string, string>) =>
      refusal(() => decideAgain(session(customClaims ? { customClaims } : {}), standing(), claimed, NOW));
    expect(ask({ region: '6575' })).toBe('granted');
    expect(ask({ region: '7573' })).toBe('CONFIGURATION_NOT_ALLOWED');
    expect(ask()).toBe('CONFIGURATION_NOT_ALLOWED');
  });
});
