import { DcapError, INTEL_SGX_ROOT, parseCollateralBundle, verifyQuote, type CollateralBundle } from '#dcap';
import { CliError } from '../failure/cli-error.js';
import { readBounded } from '../input/bounded-input.js';
import { parseGrace } from '../input/grace.js';
import { parseIsoTime } from '../input/iso-time.js';
import { decodeEncoding } from '../input/quote-encoding.js';
import type { Terminal } from '../terminal/terminal.js';
import type { VerifyOptions } from './command.js';
import { withUnreadableBundle } from './unreadable-bundle.js';
import { readTrustRoot } from './trust-root.js';
import { verdictText } from './verdict-text.js';

/** Hex text of the largest evidence, with line ends; more than that is no quote in any encoding. */
const MAX_QUOTE_FILE_BYTES = 128 * 1024;
const MAX_BUNDLE_FILE_BYTES = 8 * 1024 * 1024;
/** Stands for a bundle that could not be read; the verification runs up to it and refuses there. */
const NO_BUNDLE = null as unknown as CollateralBundle;

/**
 * `siegel verify`. What a person got wrong (options, paths) throws CliError with exit code 2; what is wrong with the
 * evidence or its collateral is a verdict, exit code 1.
 */
export async function verifyFile(
  quoteFile: string,
  options: VerifyOptions,
  terminal: Terminal,
): Promise<number> {
  const at = parseIsoTime(options.at, '--at');
  const graceSeconds = parseGrace(options.grace);
  if (quoteFile === '-' && options.collateral === '-') {
    throw CliError.of('USAGE', 'Only one of quote and collateral can come from standard input.');
  }
  const custom =
    options.trustRoot === undefined ? undefined : await readTrustRoot(options.trustRoot, terminal);
  const bundleFile = await readBounded(options.collateral, MAX_BUNDLE_FILE_BYTES, terminal);
  const quote = decodeEncoding((await readBounded(quoteFile, MAX_QUOTE_FILE_BYTES, terminal)).bytes).bytes;

  const bundle = readBundle(bundleFile.bytes);
  const unreadable = bundle instanceof DcapError;
  let report = verifyQuote(quote, unreadable ? NO_BUNDLE : bundle, {
    at,
    trustAnchors: [custom ?? INTEL_SGX_ROOT],
    graceSeconds,
  });
  if (unreadable) report = withUnreadableBundle(report, bundle);
  if (custom) report = { ...report, trustRoot: custom.id, simulated: custom.simulated };
  terminal.out(options.json ? `${JSON.stringify(report)}\n` : verdictText(report, at, terminal.colour));
  return report.verified ? 0 : 1;
}

function readBundle(file: Buffer): CollateralBundle | DcapError {
  try {
    return parseCollateralBundle(new TextDecoder('utf-8', { fatal: true }).decode(file));
  } catch (error) {
    if (error instanceof DcapError) return error;
    return new DcapError('COLLATERAL_INVALID', 'the bundle is not UTF-8 text');
  }
}
