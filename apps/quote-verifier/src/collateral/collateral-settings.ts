import type { CollateralKey, CollateralSource, PckCa, UpdateChannel } from '#collateral';
import type { TrustAnchor } from '#dcap';
import type { Signer } from '#pki';
import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import type { VerifierEnvironment } from '../config/environment.js';

export const COLLATERAL_SETTINGS = Symbol('COLLATERAL_SETTINGS');

export interface CollateralSettings {
  readonly sources: readonly CollateralSource[];
  readonly anchors: readonly TrustAnchor[];
  readonly update: UpdateChannel;
  readonly graceSeconds: number;
  readonly refreshSeconds: number;
  readonly retryMs: number;
  readonly waitMs: number;
  readonly minTcbEvaluationDataNumber?: number;
  readonly prefetch: readonly CollateralKey[];
  readonly floorFile: string;
  readonly shared: boolean;
  readonly signer: Signer;
  readonly verifiers: ReadonlyMap<string, KeyObject>;
  readonly clock: () => Date;
}

export function collateralSettings(
  environment: VerifierEnvironment,
  parts: Pick<CollateralSettings, 'sources' | 'anchors' | 'signer' | 'verifiers' | 'clock'>,
): CollateralSettings {
  const minimum = environment.SIEGEL_MIN_TCB_EVALUATION;
  return {
    ...parts,
    update: environment.SIEGEL_COLLATERAL_UPDATE,
    graceSeconds: environment.SIEGEL_COLLATERAL_GRACE_SECONDS,
    refreshSeconds: environment.SIEGEL_COLLATERAL_REFRESH_SECONDS,
    retryMs: environment.SIEGEL_COLLATERAL_RETRY_MS,
    waitMs: environment.SIEGEL_COLLATERAL_WAIT_MS,
    ...(minimum === undefined ? {} : { minTcbEvaluationDataNumber: minimum }),
    prefetch: prefetchKeys(environment.SIEGEL_COLLATERAL_PREFETCH, parts.anchors),
    // Each update channel has numbers of its own; changing the channel is not a step back.
    floorFile: join(
      environment.SIEGEL_STATE_DIR,
      `collateral-floors-${environment.SIEGEL_COLLATERAL_UPDATE}.json`,
    ),
    shared: environment.SIEGEL_COLLATERAL_SHARED,
  };
}

/** Where a simulated root is pinned it is the simulated platforms that are known before they come. */
function prefetchKeys(targets: readonly string[], anchors: readonly TrustAnchor[]): CollateralKey[] {
  const anchor = (anchors.find(({ simulated }) => simulated) ?? anchors[0])?.id ?? '';
  return targets.map((target) => {
    const [tee, fmspc, ca] = target.split(':') as ['sgx' | 'tdx', string, PckCa];
    return { tee, fmspc, ca, anchor };
  });
}
