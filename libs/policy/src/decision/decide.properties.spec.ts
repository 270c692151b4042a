import { describe, expect, it } from '@jest/globals';
import { BINDING_CONVENTIONS } from '#evidence';
import fc from 'fast-check';
import {
  compileManifest,
  decide,
  DENIAL_CODES,
  lintManifest,
  parseManifest,
  TCB_STATUSES,
} from '../index.js';
import type { AttestedClaims, DecisionRequest, Identity, Manifest, Workload } from '../index.js';

const hex = (bytes: number, values: number) =>
  fc.nat(values - 1).map((n) => (n + 1).toString(16).padStart(2, '0').repeat(bytes));
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 4 });
/** A claim that is usually good, so that requests are granted often enough to mean something. */
const mostly = <T, U extends T>(usual: U, other: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant<T>(usual) }, { weight: 1, arbitrary: other });
const defined = <T extends object>(value: T) =>
  Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as T;
const seldom = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
const some = <T>(arbitrary: fc.Arbitrary<T>) => fc.array(arbitrary, { minLength: 1, maxLength: 2 });
const advisory = fc.constantFrom('INTEL-SA-00334', 'INTEL-SA-00615', 'INTEL-SA-00657');
const name = fc.constantFrom('a', 'b', 'c');

const identity: fc.Arbitrary<Identity> = fc
  .oneof(
    fc.record({
      mrenclave: some(hex(32, 2)),
      isvsvn: seldom(fc.nat(2)),
      configid: seldom(some(hex(64, 2))),
    }),
    fc.record({
      mrsigner: some(hex(32, 2)),
      isvprodid: fc.oneof(fc.nat(2), some(fc.nat(2))),
      isvsvn: fc.nat(3),
    }),
    fc.record({ mrtd: some(hex(48, 2)), rtmr1: seldom(some(hex(48, 2))), rtmr2: some(hex(48, 2)) }),
  )
  .map((value) => defined(value) as Identity);

const workload: fc.Arbitrary<Workload> = fc
  .record({
    identity: fc.oneof(identity, fc.array(identity, { minLength: 1, maxLength: 3 })),
    certificate: seldom(fc.constant({ dns: ['x.svc'] })),
    debug: seldom(fc.boolean()),
    tcb: seldom(
      fc
        .record({
          accept: fc.uniqueArray(fc.constantFrom(...TCB_STATUSES.filter((s) => s !== 'Revoked')), {
            minLength: 1,
            maxLength: 4,
          }),
          advisories: seldom(
            fc
              .record({
                allow: seldom(fc.array(advisory, { maxLength: 2 })),
                reject: seldom(fc.array(advisory, { maxLength: 1 })),
              })
              .map(defined),
          ),
          minTcbEvaluationDataNumber: seldom(fc.integer({ min: 1, max: 20 })),
        })
        .map(defined),
    ),
    platform: seldom(
      fc
        .record({
          fmspc: seldom(some(hex(6, 2))),
          smt: seldom(fc.constantFrom('allow' as const, 'deny' as const)),
        })
        .map(defined),
    ),
    binding: seldom(
      fc
        .record({
          convention: seldom(fc.constantFrom('sha256-spki' as const, 'sha512-spki' as const)),
          challenge: seldom(fc.constantFrom('required' as const, 'optional' as const)),
        })
        .map(defined),
    ),
  })
  .map((value) => defined(value) as Workload);

const manifest: fc.Arbitrary<Manifest> = fc
  .dictionary(name, workload, { minKeys: 1, maxKeys: 3 })
  .map((workloads) => ({ siegel: 'v1', workloads }));

const claims: fc.Arbitrary<AttestedClaims> = fc.record({
  tee: mostly('sgx' as const, fc.constantFrom('sgx' as const, 'tdx' as const)),
  mrenclave: optional(hex(32, 2)),
  mrsigner: optional(hex(32, 2)),
  isvProdId: optional(fc.nat(2)),
  isvSvn: optional(fc.nat(3)),
  debug: mostly(false, fc.boolean()),
  tcbStatus: mostly('UpToDate', fc.constantFrom(...TCB_STATUSES, 'Nonsense')),
  advisoryIds: fc.array(advisory, { maxLength: 2 }),
  fmspc: optional(hex(6, 2)),
  simulated: mostly(false, fc.boolean()),
  reportData: fc.constant('00'.repeat(64)),
  configId: optional(hex(64, 2)),
  tcbEvaluationDataNumber: optional(fc.integer({ min: 1, max: 20 })),
  mrtd: optional(hex(48, 2)),
  rtmrs: optional(fc.tuple(hex(48, 2), hex(48, 2), hex(48, 2), hex(48, 2))),
  smtEnabled: optional(fc.boolean()),
});

const request: fc.Arbitrary<DecisionRequest> = fc.record({
  claims,
  workloadHint: seldom(fc.constantFrom('a', 'b', 'c', 'd')),
  binding: fc.record({
    convention: mostly('sha256-spki' as const, fc.constantFrom(...BINDING_CONVENTIONS)),
    challenge: fc.boolean(),
  }),
  now: fc.constant(new Date('2026-11-23T00:00:00Z')),
});

/** A second, naive reading of the manifest's documentation: every workload that may be released to these claims. */
function granted(of: Manifest, { claims: c, binding }: DecisionRequest, acceptSimulated: boolean): string[] {
  const inside = <T>(list: readonly T[] | undefined, value: T | undefined) =>
    !list || (value !== undefined && list.includes(value));
  return Object.entries(of.workloads).flatMap(([key, w]) => {
    const entries = Array.isArray(w.identity) ? w.identity : [w.identity];
    const identified = entries.some(
      (i) =>
        (i.mrtd ? c.tee === 'tdx' : c.tee === 'sgx') &&
        inside(i.mrenclave, c.mrenclave) &&
        inside(i.mrsigner, c.mrsigner) &&
        inside(i.mrtd, c.mrtd) &&
        inside(i.rtmr1, c.rtmrs?.[1]) &&
        inside(i.rtmr2, c.rtmrs?.[2]) &&
        inside(i.configid, c.configId) &&
        inside(typeof i.isvprodid === 'number' ? [i.isvprodid] : i.isvprodid, c.isvProdId) &&
        (i.isvsvn === undefined || (c.isvSvn !== undefined && c.isvSvn >= i.isvsvn)),
    );
    const { allow, reject } = w.tcb?.advisories ?? {};
    const floor = w.tcb?.minTcbEvaluationDataNumber;
    const trusted =
      (!c.simulated || acceptSimulated) &&
      (!c.debug || w.debug === true) &&
      inside<string>(w.tcb?.accept ?? ['UpToDate', 'SWHardeningNeeded'], c.tcbStatus) &&
      (!allow || c.advisoryIds.every((id) => allow.includes(id))) &&
      !c.advisoryIds.some((id) => reject?.includes(id)) &&
      (floor === undefined || (c.tcbEvaluationDataNumber ?? 0) >= floor) &&
      inside(w.platform?.fmspc, c.fmspc) &&
      (w.platform?.smt !== 'deny' || c.smtEnabled === false) &&
      binding.convention === (w.binding?.convention ?? 'sha256-spki') &&
      (w.binding?.challenge !== 'required' || binding.challenge);
    return identified && trusted ? [key] : [];
  });
}

describe('decide, on any manifest and any claims', () => {
  it('grants only if every condition holds, and denies only with one that does not', () => {
    fc.assert(
      fc.property(manifest, request, fc.boolean(), (of, asked, acceptSimulated) => {
        const decision = decide(compileManifest(of, { acceptSimulated }), asked);
        expect(decision.conditions.length).toBeGreaterThan(0);
        expect(decision.conditions.every(({ ok }) => ok)).toBe(decision.outcome === 'granted');
        if (decision.outcome === 'denied') expect(DENIAL_CODES).toHaveProperty(decision.code);
      }),
      { numRuns: 3000 },
    );
  });

  it('agrees with an independent reading of the rules', () => {
    const outcomes = { granted: 0, denied: 0 };
    fc.assert(
      fc.property(manifest, request, fc.boolean(), (of, asked, acceptSimulated) => {
        const decision = decide(compileManifest(of, { acceptSimulated }), asked);
        const allowed = granted(of, asked, acceptSimulated);
        outcomes[decision.outcome]++;
        if (decision.outcome === 'granted') {
          expect(allowed).toContain(decision.workload);
          if (asked.workloadHint !== undefined) expect(decision.workload).toBe(asked.workloadHint);
        } else if (asked.workloadHint !== undefined) {
          expect(allowed).not.toContain(asked.workloadHint);
        } else if (decision.code !== 'WORKLOAD_AMBIGUOUS') {
          expect(allowed).toEqual([]);
        }
      }),
      { numRuns: 6000 },
    );
    // The generators must reach both outcomes, or the property says nothing.
    expect(outcomes.granted).toBeGreaterThan(100);
    process.stdout.write(`decisions compared: ${JSON.stringify(outcomes)}\n`);
    expect(outcomes.denied).toBeGreaterThan(500);
  });

  it('spoiling one claim of a granted request never gains another workload’s grants', () => {
    const spoilt = fc.constantFrom<Partial<AttestedClaims>>(
      { debug: true },
      { tcbStatus: 'Revoked' },
      { simulated: true },
      { mrenclave: undefined, mrsigner: undefined, mrtd: undefined },
    );
    fc.assert(
      fc.property(manifest, request, spoilt, (of, asked, change) => {
        const strict: Manifest = {
          ...of,
          workloads: Object.fromEntries(
            Object.entries(of.workloads).map(([key, w]) => [key, { ...w, debug: false }]),
          ),
        };
        expect(
          decide(compileManifest(strict), { ...asked, claims: { ...asked.claims, ...change } }).outcome,
        ).toBe('denied');
      }),
      { numRuns: 2000 },
    );
  });

  it('decides the same for a manifest that went through JSON and YAML', () => {
    fc.assert(
      fc.property(manifest, request, (of, asked) => {
        const read = parseManifest(JSON.stringify(of));
        if (!read.ok) {
          expect(lintManifest(JSON.stringify(of)).ok).toBe(false);
          return;
        }
        expect(decide(compileManifest(read.manifest), asked)).toEqual(decide(compileManifest(of), asked));
      }),
    );
  });
});

describe('decide with 1,000 workloads', () => {
  it('takes less than 20 µs', () => {
    const workloads = Object.fromEntries(
      Array.from({ length: 1000 }, (_, i) => {
        const id = `a${i.toString(16).padStart(63, '0')}`;
        const entry: Workload = {
          identity: i % 2 ? { mrenclave: [id] } : { mrsigner: [id], isvprodid: 1, isvsvn: 2 },
          certificate: { dns: [`w${i}.svc`] },
          tcb: { advisories: { allow: ['INTEL-SA-00615'] } },
        };
        return [`w${i}`, entry];
      }),
    );
    const compiled = compileManifest({ siegel: 'v1', workloads });
    const requests = Array.from({ length: 1000 }, (_, i): DecisionRequest => {
      const id = `a${i.toString(16).padStart(63, '0')}`;
      return {
        claims: {
          tee: 'sgx',
          mrenclave: i % 2 ? id : 'f'.repeat(64),
          mrsigner: i % 2 ? 'f'.repeat(64) : id,
          isvProdId: 1,
          isvSvn: 2,
          debug: false,
          tcbStatus: 'SWHardeningNeeded',
          advisoryIds: ['INTEL-SA-00615'],
          fmspc: '00606a000000',
          simulated: false,
          reportData: '00'.repeat(64),
        },
        binding: { convention: 'sha256-spki', challenge: false },
        now: new Date(0),
      };
    });
    let best = Infinity;
    for (let round = 0; round < 100; round++) {
      const started = performance.now();
      for (const asked of requests)
        if (decide(compiled, asked).outcome !== 'granted') throw new Error('denied');
      best = Math.min(best, ((performance.now() - started) * 1000) / requests.length);
    }
    process.stdout.write(`decide: ${best.toFixed(2)} µs with 1,000 workloads\n`);
    expect(best).toBeLessThan(20);
  });
});
