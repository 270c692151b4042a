/**
 * What a log, or whoever runs it, can be caught at:
 * - `forged`: a signature, a canonical form, a number or a time that its signer cannot have made;
 * - `rewritten`: an entry is not what it was, or not where it was;
 * - `dropped`: an entry is missing that was promised, delivered, or must have been before a later one;
 * - `forked`: two histories were signed that no consistency proof connects;
 * - `rolled-back`: the log is shorter than it was.
 */
export const FRAUD_KINDS = ['forged', 'rewritten', 'dropped', 'forked', 'rolled-back'] as const;
export type FraudKind = (typeof FRAUD_KINDS)[number];

export interface Fraud {
  kind: FraudKind;
  /** Index in the log where it shows first, if it can be told. */
  index?: number;
  /** One sentence for people. */
  message: string;
}

export const fraud = (kind: FraudKind, message: string, index?: number): Fraud =>
  index === undefined ? { kind, message } : { kind, index, message };
