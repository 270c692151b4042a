import type { CollateralKey } from '#collateral';
import type { CollateralBundle, DcapErrorCode, VerificationStepName } from '#dcap';
import type { EpochFacts } from '../collateral/collateral-opener.js';
import type { Attempt, Findings } from './attempt.js';

/** What a verification thread is started with. */
export interface WorkerSettings {
  readonly keyFile: string;
  readonly anchors: readonly {
    id: string;
    publicKey: Uint8Array;
    simulated: boolean;
    profile?: 'intel' | 'role';
  }[];
  readonly graceSeconds: number;
  readonly minTcbEvaluationDataNumber: number | undefined;
}

export type ToWorker =
  | { readonly type: 'adopt'; readonly key: CollateralKey; readonly bundle: CollateralBundle }
  | {
      readonly type: 'open';
      readonly id: number;
      readonly key: CollateralKey;
      readonly bundle: CollateralBundle;
      readonly at: Date;
    }
  | {
      readonly type: 'attempt';
      /** Parallel arrays: one message carries all requests of a turn of the event loop. */
      readonly ids: number[];
      readonly bodies: Uint8Array[];
      readonly findings: (Findings | undefined)[];
    };

export type FromWorker =
  | { readonly type: 'opened'; readonly id: number; readonly outcome: Opened }
  | { readonly type: 'ready' }
  | { readonly type: 'done'; readonly ids: number[]; readonly attempts: Attempt[] }
  | { readonly type: 'trouble'; readonly message: string };

/** The outcome of opening collateral: what it is, or the check that failed. */
export type Opened =
  | { readonly facts: EpochFacts }
  | {
      readonly refused: {
        readonly code: DcapErrorCode;
        readonly message: string;
        readonly step: VerificationStepName | undefined;
      };
    };
