import { describe, expect, it } from '@jest/globals';
import { SimulatedSgx } from '#simulator';
import { encodePem, pemBlocks } from './pem.js';
import { trustAnchorFromPem } from './trust-anchor.js';
import { TrustStore } from './trust-store.js';

describe('TrustStore', () => {
  it('remembers no more texts of a certificate than so many, however its lines are broken', () => {
    const { rootPem } = SimulatedSgx.create({ seed: 'store', now: new Date('2026-06-01T00:00:00Z') });
    const store = new TrustStore([trustAnchorFromPem(rootPem, { id: 'simulated', simulated: true })]);
    const [original] = pemBlocks(rootPem.trimEnd());
    for (let width = 4; width < 404; width++) {
      const [block] = pemBlocks(encodePem(original!.decode(), '\n', width));
      expect(store.trustRoot(store.parse(block!), block!).role).toBe('root');
    }
    const { parsed, trusted } = store as unknown as Record<'parsed' | 'trusted', Map<string, unknown>>;
    expect(parsed.size).toBeLessThanOrEqual(128);
    expect(trusted.size).toBe(1);
  });
});
