import { pckQueryOf, type CollateralKey, type CollateralSource, type Edition } from '#collateral';
import {
  collateralKeyOf,
  DCAP_ERRORS,
  DcapError,
  parseQuote,
  stripOpenEnclaveHeader,
  type CollateralBundle,
} from '#dcap';
import { resolve } from 'node:path';
import { CliError } from '../failure/cli-error.js';
import { named, readWhole } from '../input/bounded-input.js';
import { decodeEncoding } from '../input/quote-encoding.js';
import type { Terminal } from '../terminal/terminal.js';
import { anchorsOf, factsOf, factsText, openBundle } from './bundle-verification.js';
import type { FetchOptions } from './command.js';
import { asking, openSource } from './source.js';
import { bundleText, writeBundle } from './write-bundle.js';

type Platform = Omit<CollateralKey, 'anchor'>;

const MAX_QUOTE_FILE_BYTES = 128 * 1024;
/** Ends a fetch over all requests, whatever each of them may take. */
const FETCH_DEADLINE_MS = 120_000;

/** `siegel collateral fetch`. Nothing is written that does not verify. */
export async function fetchCollateral(options: FetchOptions, terminal: Terminal): Promise<number> {
  const edition = editionOf(options);
  const named = options.quote === undefined ? namedPlatform(options) : undefined;
  if (options.output === '-' && options.json)
    throw CliError.of('USAGE', 'Standard output is for the bundle or for --json, not for both.');
  const anchors = await anchorsOf(options, terminal);
  const source = await openSource(options, terminal);
  try {
    const platform = named ?? (await platformOfQuote(options, source, terminal));
    const what = `The collateral of ${source.name}`;
    const bundle = await fetchOne(source, platform, edition);
    const epoch = openBundle(bundle, what, anchors, options);
    if (epoch.tee !== platform.tee || epoch.fmspc !== platform.fmspc || epoch.ca !== platform.ca) {
      throw CliError.answered(
        'FMSPC_MISMATCH',
        `${what} is for ${epoch.tee} ${epoch.fmspc} (${epoch.ca} CA), not for ${platform.tee} ${platform.fmspc} (${platform.ca} CA).`,
        DCAP_ERRORS.FMSPC_MISMATCH.remedy,
      );
    }
    const facts = factsOf(epoch);
    // A server that does not know the parameter gives its usual edition.
    if (typeof edition === 'number' && facts.tcbEvaluationDataNumber !== edition) {
      throw CliError.of(
        'SOURCE_FAILED',
        `${what} is of edition ${facts.tcbEvaluationDataNumber}, not of ${edition}.`,
      );
    }
    if (options.output === '-') {
      terminal.out(bundleText(bundle));
      return 0;
    }
    const file = resolve(terminal.cwd, options.output);
    await writeBundle(file, bundle);
    terminal.out(
      options.json
        ? `${JSON.stringify({ file, source: source.name, ...facts })}\n`
        : `${factsText(facts)}written to ${file}\n`,
    );
    return 0;
  } finally {
    await source.close();
  }
}

async function fetchOne(
  source: CollateralSource,
  platform: Platform,
  edition: Edition,
): Promise<CollateralBundle> {
  const signal = AbortSignal.timeout(FETCH_DEADLINE_MS);
  const [bundle] = await asking(source.fetch({ ...platform, anchor: 'fetch' }, edition, signal));
  if (bundle === undefined) throw CliError.of('SOURCE_FAILED', 'The source gave nothing.');
  return bundle;
}

function namedPlatform({ fmspc, ca, tee }: FetchOptions): Platform {
  if (fmspc === undefined || ca === undefined)
    throw CliError.of('USAGE', 'Name the platform with --fmspc and --ca, or give a --quote of it.');
  if (!/^[0-9a-f]{12}$/i.test(fmspc)) throw CliError.of('USAGE', `--fmspc "${fmspc}" is not 12 hex digits.`);
  if (ca !== 'platform' && ca !== 'processor')
    throw CliError.of('USAGE', `--ca "${ca}" is neither platform nor processor.`);
  if (tee !== 'sgx' && tee !== 'tdx') throw CliError.of('USAGE', `--tee "${tee}" is neither sgx nor tdx.`);
  return { tee, fmspc: fmspc.toLowerCase(), ca };
}

/** What a quote says of its platform; nothing of it is verified, and a wrong answer gives the wrong collateral and no more. */
async function platformOfQuote(
  options: FetchOptions,
  source: CollateralSource,
  terminal: Terminal,
): Promise<Platform> {
  const file = options.quote as string;
  if (options.fmspc !== undefined || options.ca !== undefined)
    throw CliError.of('USAGE', 'Either --quote or --fmspc and --ca, not both.');
  const { bytes } = decodeEncoding(await readWhole(file, MAX_QUOTE_FILE_BYTES, terminal));
  try {
    const quote = parseQuote(stripOpenEnclaveHeader(bytes));
    const query = pckQueryOf(quote);
    const chain = query === undefined ? undefined : await lookUp(source, query);
    const { tee, fmspc, ca } = collateralKeyOf(quote, chain);
    return { tee, fmspc, ca };
  } catch (error) {
    if (!(error instanceof DcapError)) throw error;
    const { remedy } = DCAP_ERRORS[error.code];
    throw CliError.answered(error.code, `${named(file)}: ${error.message}.`, remedy);
  }
}

function lookUp(
  source: CollateralSource,
  query: NonNullable<ReturnType<typeof pckQueryOf>>,
): Promise<string> {
  if (source.pckChain === undefined)
    throw new DcapError(
      'PCK_LOOKUP_REQUIRED',
      `the quote names its PCK certificate, which ${source.name} cannot look up`,
    );
  return asking(source.pckChain(query, AbortSignal.timeout(FETCH_DEADLINE_MS)));
}

function editionOf({ update, tcbEvaluationDataNumber: number }: FetchOptions): Edition {
  if (update !== undefined && number !== undefined)
    throw CliError.of('USAGE', 'Either --update or --tcb-evaluation-data-number, not both.');
  if (number !== undefined) {
    if (!/^[1-9]\d{0,5}$/.test(number))
      throw CliError.of(
        'USAGE',
        `--tcb-evaluation-data-number "${number}" is not a number from 1 to 999999.`,
      );
    return Number(number);
  }
  if (update === undefined || update === 'standard' || update === 'early') return update ?? 'standard';
  throw CliError.of('USAGE', `--update "${update}" is neither standard nor early.`);
}
