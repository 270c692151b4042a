import { SimulatedSgx } from '#simulator';
import { readFile } from 'node:fs/promises';
import { CliError } from '../failure/cli-error.js';
import { PLATFORM } from '../up/simulated-platform.js';
import type { EvidenceProvider } from './evidence-provider.js';

/** Quotes of the simulated platform of a state folder: only a deployment that pins its root believes them. */
export async function simulatorProvider(file: string, mrenclave: string): Promise<EvidenceProvider> {
  let sgx: SimulatedSgx;
  try {
    sgx = SimulatedSgx.fromJSON(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    throw CliError.of('STATE_NOT_FOUND', `There is no simulated platform in "${file}".`, { cause: error });
  }
  const platform = sgx.platform({ name: PLATFORM });
  const identity = { mrenclave, mrsigner: '00'.repeat(31) + '01', isvProdId: 1, isvSvn: 1 };
  return {
    kind: 'SgxEnclave',
    quote: (reportData) => Promise.resolve(platform.quote({ ...identity, reportData })),
  };
}
