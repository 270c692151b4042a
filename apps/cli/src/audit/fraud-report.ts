import type { Fraud, FraudKind } from '#auditor';
import { printable } from '../terminal/layout.js';
import { styleFor } from '../terminal/style.js';
import type { Terminal } from '../terminal/terminal.js';

/** Exit codes of `siegel audit follow`, `verify` and `check-receipt`; beside them 0, 1 and 2 mean what they always do. */
export const FRAUD_EXIT_CODES: Readonly<Record<FraudKind, number>> = {
  forged: 10,
  rewritten: 11,
  dropped: 12,
  forked: 13,
  'rolled-back': 14,
};

/** That of the first fraud, as the ones behind it often follow from it. */
export const exitCodeOf = (frauds: readonly Fraud[]): number =>
  frauds[0] === undefined ? 0 : FRAUD_EXIT_CODES[frauds[0].kind];

export function fraudText({ kind, message }: Fraud, terminal: Terminal): string {
  return `${styleFor(terminal.colour).bad('FRAUD')} ${kind}: ${printable(message)}\n`;
}
