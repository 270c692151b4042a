import type { Tee } from '#dcap';

export type PckCa = 'platform' | 'processor';

/** What one epoch of collateral is for. */
export interface CollateralKey {
  readonly tee: Tee;
  /** 6 bytes, lower-case hex. */
  readonly fmspc: string;
  readonly ca: PckCa;
  /** The id of the trust anchor that the evidence chains to: simulated and genuine collateral never mix. */
  readonly anchor: string;
}

/** The key as one string: a KV key and a map key. */
export function keyText(key: CollateralKey): string {
  return `${key.anchor}.${key.tee}.${key.fmspc}.${key.ca}`;
}
