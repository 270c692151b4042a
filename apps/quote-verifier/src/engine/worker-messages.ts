import type { CollateralKey } from '#collateral';
import type { CollateralBundle } from '#dcap';
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
      readonly type: 'attempt';
      /** Parallel arrays: one message carries all requests of a turn of the event loop. */
      readonly ids: number[];
      readonly bodies: Uint8Array[];
      readonly findings: (Findings | undefined)[];
    };

export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'done'; readonly ids: number[]; readonly attempts: Attempt[] }
  | { readonly type: 'trouble'; readonly message: string };
