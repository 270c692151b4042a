import { ecdsaRawToDer } from '#pki';
import { verify } from 'node:crypto';
import { verify as verifyWithPhala } from '@phala/dcap-qvl';
import { CollateralEpoch, QuoteVerifier, verifyQuote } from '#dcap';
import type { VerificationReport } from '#dcap';
import { bareSignatures } from './evidence.js';
import type { RealEvidence, SimulatedEvidence } from './evidence.js';

/**
 * Something to measure: `prepare` is not timed, `run` does `count` operations and throws if one does not verify. A run
 * is about as short as the time that a busy machine leaves a process alone, so that most runs are undisturbed.
 */
export interface Contender {
  readonly name: string;
  readonly count: number;
  prepare(): void;
  run(round: number): void;
}

const SLICE = { limit: 24, knownQe: 24, knownPck: 10, newPlatform: 6, cold: 2, phala: 1 };
/** More than the benchmark has; the default bounds would make each new verifier a large allocation. */
const BOUNDS = { maxPcks: 256, maxQeBlocks: 256 };

/** The part of the items that belongs to a round; successive rounds take successive parts. */
function sliceOf<T>(items: readonly T[], round: number, length: number): readonly T[] {
  const start = (round * length) % (items.length - (items.length % length));
  return items.slice(start, start + length);
}

function required(report: VerificationReport): void {
  if (!report.verified) throw new Error(`the evidence does not verify: ${report.error?.code}`);
}

/** Raw ECDSA: what one core can do at most, with the signature in DER, which node:crypto takes fastest. */
export function limit(evidence: SimulatedEvidence): Contender {
  const signatures = bareSignatures(evidence.sameQe).map((one) => ({
    ...one,
    signature: ecdsaRawToDer(one.signature),
  }));
  return {
    name: 'limit',
    count: SLICE.limit,
    prepare: () => undefined,
    run: (round) => {
      for (const { key, data, signature } of sliceOf(signatures, round, SLICE.limit)) {
        if (!verify('sha256', data, key, signature)) {
          throw new Error('the signature does not verify');
        }
      }
    },
  };
}

/** A verifier that has just been started and shown `seen`, then given `quotes`, each for the first time. */
function staged(
  name: 'knownQe' | 'knownPck' | 'newPlatform',
  evidence: SimulatedEvidence,
  quotes: readonly Buffer[],
  seen: readonly Buffer[],
): Contender {
  const { bundle, anchors, at } = evidence;
  const epoch = CollateralEpoch.open(bundle, { at, trustAnchors: anchors });
  let verifier = new QuoteVerifier(BOUNDS);
  return {
    name,
    count: SLICE[name],
    prepare: () => {
      verifier = new QuoteVerifier(BOUNDS);
      for (const quote of seen) required(verifier.verify(quote, epoch, at));
    },
    run: (round) => {
      for (const quote of sliceOf(quotes, round, SLICE[name])) required(verifier.verify(quote, epoch, at));
    },
  };
}

export function stagedContenders(evidence: SimulatedEvidence): Contender[] {
  const { sameQe, samePck, platforms } = evidence;
  return [
    staged('knownQe', evidence, sameQe, sameQe.slice(0, 1)),
    staged('knownPck', evidence, samePck, sameQe.slice(0, 1)),
    staged('newPlatform', evidence, platforms, []),
  ];
}

/** Everything for every quote: collateral included. */
export function cold(evidence: SimulatedEvidence): Contender {
  const { bundle, anchors, at } = evidence;
  return {
    name: 'cold',
    count: SLICE.cold,
    prepare: () => undefined,
    run: (round) => {
      for (const quote of sliceOf(evidence.platforms, round, SLICE.cold))
        required(verifyQuote(quote, bundle, { at, trustAnchors: anchors }));
    },
  };
}

/** The same real quote through the peer and through this library, with memory and without. */
export function againstPhala(evidence: RealEvidence): Contender[] {
  const { quote, bundle, anchors, at } = evidence;
  const seconds = Math.floor(at.getTime() / 1000);
  const epoch = CollateralEpoch.open(bundle, { at, trustAnchors: anchors });
  const verifier = new QuoteVerifier(BOUNDS);
  const repeat = (name: string, count: number, once: () => void): Contender => ({
    name,
    count,
    prepare: once,
    run: () => {
      for (let i = 0; i < count; i++) once();
    },
  });
  return [
    repeat('phala', SLICE.phala, () => {
      verifyWithPhala(quote, bundle, seconds);
    }),
    repeat('realWarm', SLICE.knownQe, () => required(verifier.verify(quote, epoch, at))),
    repeat('realCold', SLICE.cold, () => required(verifyQuote(quote, bundle, { at, trustAnchors: anchors }))),
  ];
}
