import {
  CollateralEpoch,
  DCAP_ERRORS,
  DcapError,
  INTEL_SGX_ROOT,
  parseCollateralBundle,
  type CollateralBundle,
  type TrustAnchor,
} from '#dcap';
import { CliError } from '../failure/cli-error.js';
import { named, readWhole } from '../input/bounded-input.js';
import { parseGrace } from '../input/grace.js';
import { columns, printable } from '../terminal/layout.js';
import type { Terminal } from '../terminal/terminal.js';
import { readTrustRoot } from '../verify/trust-root.js';
import type { JudgementOptions } from './command.js';

const MAX_BUNDLE_FILE_BYTES = 8 * 1024 * 1024;

/** What the commands print of a bundle that verified. */
export interface BundleFacts {
  readonly id: string;
  readonly tee: string;
  readonly fmspc: string;
  readonly ca: string;
  readonly pceId: string;
  readonly tcbEvaluationDataNumber: number;
  readonly qeEvaluationDataNumber: number;
  readonly tcbInfoIssueDate: string;
  readonly earliestIssue: string;
  readonly earliestExpiration: string;
  readonly trustRoot: string;
  readonly simulated: boolean;
}

/** @throws CliError FILE_NOT_FOUND, …, or with a code of libs/dcap if it is not a bundle */
export async function readBundle(file: string, terminal: Terminal): Promise<CollateralBundle> {
  const bytes = await readWhole(file, MAX_BUNDLE_FILE_BYTES, terminal);
  try {
    return parseCollateralBundle(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    if (error instanceof DcapError) throw refused(error, named(file));
    throw refused(new DcapError('COLLATERAL_INVALID', 'the bundle is not UTF-8 text'), named(file));
  }
}

/** The roots that count: the named one, else Intel's and those of the deployment. */
export async function anchorsOf(
  { trustRoot }: JudgementOptions,
  terminal: Terminal,
  further: readonly TrustAnchor[] = [],
): Promise<TrustAnchor[]> {
  return trustRoot === undefined ? [INTEL_SGX_ROOT, ...further] : [await readTrustRoot(trustRoot, terminal)];
}

/** Verifies signatures, chains, revocation lists and dates, for now. @throws CliError with a code of libs/dcap */
export function openBundle(
  bundle: CollateralBundle,
  what: string,
  trustAnchors: readonly TrustAnchor[],
  { grace }: JudgementOptions,
): CollateralEpoch {
  const graceSeconds = parseGrace(grace);
  try {
    return CollateralEpoch.open(bundle, { at: new Date(), trustAnchors, graceSeconds });
  } catch (error) {
    if (error instanceof DcapError) throw refused(error, what);
    throw error;
  }
}

export function factsOf({ tee, fmspc, ca, pceId, summary, trustAnchor }: CollateralEpoch): BundleFacts {
  const { id: trustRoot, simulated } = trustAnchor;
  return { ...summary, tee, fmspc, ca, pceId, trustRoot, simulated };
}

export function factsText(facts: BundleFacts): string {
  const rows = [
    ['for', `${facts.tee} ${facts.fmspc}, ${facts.ca} CA, PCE ${facts.pceId}`],
    ['evaluation', `${facts.tcbEvaluationDataNumber} (QE identity ${facts.qeEvaluationDataNumber})`],
    ['issued', `${facts.earliestIssue} or later; TCB info ${facts.tcbInfoIssueDate}`],
    ['good until', facts.earliestExpiration],
    ['root', `${facts.trustRoot}${facts.simulated ? ' (not Intel’s)' : ''}`],
    ['id', facts.id],
  ];
  return `${columns(rows.map((row) => row.map(printable)))}\n`;
}

function refused(error: DcapError, what: string): CliError {
  return CliError.answered(
    error.code,
    `${what} was refused: ${error.message}.`,
    DCAP_ERRORS[error.code].remedy,
  );
}
