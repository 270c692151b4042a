import {
  parseSourceAddress,
  PccsSource,
  PcsSource,
  SourceError,
  ThimSource,
  type CollateralSource,
} from '#collateral';
import { CliError } from '../failure/cli-error.js';
import { readWhole } from '../input/bounded-input.js';
import type { Terminal } from '../terminal/terminal.js';
import type { FetchOptions } from './command.js';

const PCS_URL = 'https://api.trustedservices.intel.com';
const ROOT_CRL_URL = 'https://certificates.trustedservices.intel.com/IntelSGXRootCA.der';
const THIM_URLS = 'http://169.254.169.254/metadata/THIM,https://global.acccache.azure.net';
const MAX_FILE_BYTES = 1024 * 1024;

/** The source that the options name; addresses by the verifier's variables. @throws CliError USAGE, FILE_NOT_FOUND, … */
export async function openSource(options: FetchOptions, terminal: Terminal): Promise<CollateralSource> {
  const variable = (name: string): string | undefined => terminal.env[name] || undefined;
  const text = async (file: string): Promise<string> =>
    (await readWhole(file, MAX_FILE_BYTES, terminal)).toString('utf8');
  const extraCa = options.sourceCa ?? variable('SIEGEL_COLLATERAL_CA_FILE');
  const http = {
    timeoutMs: timeoutOf(options.timeout),
    ...(extraCa === undefined ? {} : { extraCa: await text(extraCa) }),
  };
  const rootCrlUrl = address('SIEGEL_PCS_ROOT_CRL_URL', variable('SIEGEL_PCS_ROOT_CRL_URL') ?? ROOT_CRL_URL);
  switch (options.source) {
    case 'pcs': {
      const keyFile = variable('SIEGEL_PCS_KEY_FILE');
      return new PcsSource({
        ...http,
        baseUrl: address('SIEGEL_PCS_URL', variable('SIEGEL_PCS_URL') ?? PCS_URL),
        rootCrlUrl,
        ...(keyFile === undefined ? {} : { subscriptionKey: (await text(keyFile)).trim() }),
      });
    }
    case 'thim': {
      const urls = (variable('SIEGEL_THIM_URLS') ?? THIM_URLS).split(',');
      const baseUrls = urls.map((url) => address('SIEGEL_THIM_URLS', url.trim()));
      return new ThimSource({ ...http, baseUrls, rootCrlUrl });
    }
    case 'pccs': {
      const url = variable('SIEGEL_PCCS_URL');
      if (url === undefined)
        throw CliError.of('USAGE', 'Give the address of the PCCS: --source https://…, or SIEGEL_PCCS_URL.');
      return new PccsSource({ ...http, baseUrl: address('SIEGEL_PCCS_URL', url) });
    }
    default:
      return new PccsSource({ ...http, baseUrl: address('--source', options.source) });
  }
}

/** Runs a request to a source. @throws CliError SOURCE_FAILED */
export async function asking<T>(request: Promise<T>): Promise<T> {
  try {
    return await request;
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    throw CliError.of('SOURCE_FAILED', `The source gave nothing usable: ${error.message}.`, { cause: error });
  }
}

function address(name: string, text: string): string {
  const parsed = parseSourceAddress(text);
  if ('url' in parsed) return parsed.url;
  throw CliError.of('USAGE', `${name} ${parsed.problem}.`);
}

function timeoutOf(text: string | undefined): number {
  const seconds = text === undefined ? 15 : /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (!(seconds > 0)) throw CliError.of('USAGE', `--timeout "${text}" is not a number of seconds.`);
  return seconds * 1_000;
}
