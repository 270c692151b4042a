import { SiegelError, SUBJECTS } from '#contracts';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Registry } from 'prom-client';
import { EvidenceHandover, type HandedOver } from './evidence-handover.js';

const ID = 'ab'.repeat(32);
const bundle = { tcb_info: '{}' };
let asked: { subject: string; body: Record<string, unknown> }[] = [];
afterEach(() => {
  asked = [];
});

const reply = (claims: object) =>
  JSON.stringify({ verdict: `h.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.s` });
const verified = reply({ verified: true, collateral: { id: ID } });
const body = (evidence = 'AAAA') =>
  Buffer.from(JSON.stringify({ v: 1, evidence, requestId: 'r', tenant: 't' }));

/** A handover to an audit service that answers by `answer`, called with the number of the request. */
function handover(which: HandedOver, answer: (count: number) => object, { pause = 1 } = {}) {
  const registry = new Registry();
  const warnings: string[] = [];
  const created = new EvidenceHandover({
    requests: {
      request: (subject, data) => {
        asked.push({ subject, body: JSON.parse(String(data)) as Record<string, unknown> });
        const said = answer(asked.length);
        if (said instanceof Error) return Promise.reject(said);
        return Promise.resolve(Buffer.from(JSON.stringify(said)));
      },
    },
    bundle: (id) => (id === ID ? bundle : undefined),
    which,
    registry,
    warn: (message) => warnings.push(message),
    firstPauseMs: pause,
  });
  const lost = async () =>
    (await registry.getMetricsAsJSON())[0]!.values.reduce((sum, { value }) => sum + Number(value), 0);
  return { created, warnings, lost };
}
const settled = () => new Promise((resolve) => setTimeout(resolve, 60));

describe('what was judged', () => {
  it('is handed over behind the answer, and its collateral where that is wanted', async () => {
    const { created } = handover('verified', (count) => ({ collateralWanted: count === 1 }));
    created.offer(body(), verified);
    expect(asked).toEqual([]);
    await settled();
    expect(asked).toEqual([
      { subject: SUBJECTS.auditEvidence, body: { v: 1, evidence: 'AAAA', collateral: ID } },
      { subject: SUBJECTS.auditCollateral, body: { v: 1, id: ID, bundle } },
    ]);
    created.offer(body('BBBB'), verified);
    await settled();
    expect(asked).toHaveLength(3);
  });

  it('is not handed over where that is off, or where it was refused', async () => {
    for (const which of ['off', 'verified'] as const) {
      const { created } = handover(which, () => ({ collateralWanted: true }));
      created.offer(body(), which === 'off' ? verified : reply({ verified: false }));
    }
    await settled();
    expect(asked).toEqual([]);
    handover('all', () => ({ collateralWanted: false })).created.offer(body(), reply({ verified: false }));
    await settled();
    expect(asked).toEqual([{ subject: SUBJECTS.auditEvidence, body: { v: 1, evidence: 'AAAA' } }]);
  });

  it('is handed over again when nobody answers, and given up with a word', async () => {
    const { created, lost } = handover('verified', (count) =>
      count < 3 ? new SiegelError('OVERLOADED') : { collateralWanted: false },
    );
    created.offer(body(), verified);
    await settled();
    expect([asked.length, await lost()]).toEqual([3, 0]);
    asked = [];
    const gone = handover('verified', () => new Error('timeout'));
    gone.created.offer(body(), verified);
    await settled();
    expect([asked.length, await gone.lost(), gone.warnings.length]).toEqual([4, 1, 1]);
  });

  it('is not repeated where evidence is not kept', async () => {
    const { created, lost } = handover('verified', () => new SiegelError('NOT_FOUND'));
    created.offer(body(), verified);
    await settled();
    expect([asked.length, await lost()]).toEqual([1, 1]);
  });

  it('waits in a bounded queue', async () => {
    const { created, lost } = handover('verified', () => new Error('timeout'), { pause: 10_000 });
    for (let i = 0; i < 1_100; i++) created.offer(body(), verified);
    expect(created.waiting).toBeLessThanOrEqual(1_024);
    expect(await lost()).toBeGreaterThan(0);
  });
});
