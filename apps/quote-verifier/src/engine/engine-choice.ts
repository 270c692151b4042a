import type { TrustAnchor } from '#dcap';
import type { LocalSigner } from '#pki';
import { availableParallelism } from 'node:os';
import type { VerifierEnvironment } from '../config/environment.js';
import { VerdictSigner } from '../verdict/verdict-signer.js';
import { EventLoopEngine } from './event-loop-engine.js';
import { VerdictMaker } from './verdict-maker.js';
import type { VerificationEngine } from './verification-engine.js';
import { WorkerPoolEngine } from './worker-pool-engine.js';

/**
 * Threads by default. Up to three cores the event loop verifies: there the other services and the broker use what a thread would
 * gain. Above, the loop keeps one core for messages and the threads get the rest, up to eight (docs/collateral.md has the figures).
 */
export function defaultWorkers(cores: number): number {
  return cores < 4 ? 0 : Math.min(cores - 1, 8);
}

export async function openEngine(
  environment: VerifierEnvironment,
  anchors: readonly TrustAnchor[],
  key: LocalSigner,
  clock: () => Date,
): Promise<VerificationEngine> {
  const workers = environment.SIEGEL_VERIFIER_WORKERS ?? defaultWorkers(availableParallelism());
  if (workers === 0)
    return new EventLoopEngine(new VerdictMaker({ signer: new VerdictSigner(key), anchors, clock }));
  return WorkerPoolEngine.start(workers, {
    keyFile: environment.SIEGEL_VERDICT_KEY_FILE,
    anchors: anchors.map(({ id, publicKey, simulated, profile }) => ({
      id,
      publicKey: new Uint8Array(publicKey),
      simulated,
      ...(profile === undefined ? {} : { profile }),
    })),
    graceSeconds: environment.SIEGEL_COLLATERAL_GRACE_SECONDS,
    minTcbEvaluationDataNumber: environment.SIEGEL_MIN_TCB_EVALUATION,
  });
}
