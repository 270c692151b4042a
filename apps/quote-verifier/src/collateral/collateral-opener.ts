import type { CollateralKey } from '#collateral';
import { CollateralEpoch, type CollateralBundle, type TrustAnchor } from '#dcap';

/** How collateral is judged in this deployment. */
export interface OpeningSettings {
  readonly anchors: readonly TrustAnchor[];
  readonly graceSeconds: number;
  readonly minTcbEvaluationDataNumber?: number | undefined;
}

/** What the event loop knows of collateral that verified elsewhere; plain data. */
export type EpochFacts = Pick<
  CollateralEpoch,
  | 'id'
  | 'tee'
  | 'fmspc'
  | 'ca'
  | 'tcbEvaluationDataNumber'
  | 'earliestIssue'
  | 'earliestExpiration'
  | 'freshFrom'
  | 'freshUntil'
  | 'summary'
> & { readonly trustAnchor: { readonly id: string; readonly simulated: boolean } };

export const COLLATERAL_OPENER = Symbol('COLLATERAL_OPENER');

/** Verifies collateral somewhere. Rejects with the DcapError of the check that failed. */
export interface CollateralOpener {
  open(key: CollateralKey, bundle: CollateralBundle, at: Date): Promise<EpochFacts>;
}

/** Verifies collateral here and now: milliseconds of work. Throws DcapError. */
export function openCollateral(
  key: CollateralKey,
  bundle: CollateralBundle,
  { anchors, graceSeconds, minTcbEvaluationDataNumber }: OpeningSettings,
  at: Date,
): CollateralEpoch {
  return CollateralEpoch.open(bundle, {
    at,
    trustAnchors: anchors.filter(({ id }) => id === key.anchor),
    graceSeconds,
    ...(minTcbEvaluationDataNumber === undefined ? {} : { minTcbEvaluationDataNumber }),
  });
}

export function factsOf(epoch: CollateralEpoch): EpochFacts {
  const { id, tee, fmspc, ca, tcbEvaluationDataNumber, earliestIssue, earliestExpiration } = epoch;
  const { freshFrom, freshUntil, summary, trustAnchor } = epoch;
  return {
    id,
    tee,
    fmspc,
    ca,
    tcbEvaluationDataNumber,
    earliestIssue,
    earliestExpiration,
    freshFrom,
    freshUntil,
    summary,
    trustAnchor: { id: trustAnchor.id, simulated: trustAnchor.simulated },
  };
}
