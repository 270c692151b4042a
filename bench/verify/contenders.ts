import { verify } from 'node:crypto';
import { verify as verifyWithPhala } from '@phala/dcap-qvl';
import { CollateralEpoch, QuoteVerifier, verifyQuote } from '#dcap';
import type { VerificationReport } from '#dcap';
import { bareSignatures } from './evidence.js';
import type { RealEvidence, SimulatedEvidence } from './evidence.js';

/** Something to measure: `prepare` is not timed, `run` does `count` operations and throws if one does not verify. */
export interface Contender {
  readonly name: string;
  readonly count: number;
  prepare(): void;
  run(): void;
}

function required(report: VerificationReport): void {
  if (!report.verified) throw new Error(`the evidence does not verify: ${report.error?.code}`);
}

/** Raw ECDSA: what one core can do at most. */
export function limit(evidence: SimulatedEvidence): Contender {
  const signatures = bareSignatures(evidence.sameQe);
  return {
    name: 'limit',
    count: signatures.length,
    prepare: () => undefined,
    run: () => {
      for (const { key, data, signature } of signatures) {
        if (!verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, signature)) {
          throw new Error('the signature does not verify');
        }
      }
    },
  };
}

/** A verifier that has just been started and shown `seen`, then given `quotes`, each for the first time. */
function staged(
  name: string,
  evidence: SimulatedEvidence,
  quotes: readonly Buffer[],
  seen: readonly Buffer[],
): Contender {
  const { bundle, anchors, at } = evidence;
  const epoch = CollateralEpoch.open(bundle, { at, trustAnchors: anchors });
  let verifier = new QuoteVerifier();
  return {
    name,
    count: quotes.length,
    prepare: () => {
      verifier = new QuoteVerifier();
      for (const quote of seen) required(verifier.verify(quote, epoch, at));
    },
    run: () => {
      for (const quote of quotes) required(verifier.verify(quote, epoch, at));
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
  const quotes = evidence.platforms.slice(0, 24);
  return {
    name: 'cold',
    count: quotes.length,
    prepare: () => undefined,
    run: () => {
      for (const quote of quotes) required(verifyQuote(quote, bundle, { at, trustAnchors: anchors }));
    },
  };
}

/** The same real quote through the peer and through this library, with memory and without. */
export function againstPhala(evidence: RealEvidence): Contender[] {
  const { quote, bundle, anchors, at } = evidence;
  const seconds = Math.floor(at.getTime() / 1000);
  const epoch = CollateralEpoch.open(bundle, { at, trustAnchors: anchors });
  const verifier = new QuoteVerifier();
  const repeat = (name: string, count: number, once: () => void): Contender => ({
    name,
    count,
    prepare: once,
    run: () => {
      for (let i = 0; i < count; i++) once();
    },
  });
  return [
    repeat('phala', 4, () => {
      verifyWithPhala(quote, bundle, seconds);
    }),
    repeat('realWarm', 64, () => required(verifier.verify(quote, epoch, at))),
    repeat('realCold', 24, () => required(verifyQuote(quote, bundle, { at, trustAnchors: anchors }))),
  ];
}
