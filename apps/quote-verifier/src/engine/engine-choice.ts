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
 * Threads by default: one for each core, up to eight. The event loop then only moves messages and is never kept from them by a
 * verification, for some 10 us more per request than on the loop itself (docs/collateral.md has the figures).
 */
export function defaultWorkers(cores: number): number {
  return Math.max(1, Math.min(cores, 8));
}

export async function openEngine(
  environment: VerifierEnvironment,
  anchors: readonly TrustAnchor[],
  key: LocalSigner,
  clock: () => Date,
): Promise<VerificationEngine> {
  const workers = environment.SIEGEL_VERIFIER_WORKERS ?? defaultWorkers(availableParallelism());
  if (workers === 0)
    return new EventLoopEngine(
      new VerdictMaker({ signer: new VerdictSigner(key), anchors, clock }),
      {
        anchors,
        graceSeconds: environment.SIEGEL_COLLATERAL_GRACE_SECONDS,
        minTcbEvaluationDataNumber: environment.SIEGEL_MIN_TCB_EVALUATION,
      },
      clock,
    );
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
