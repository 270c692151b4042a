import { SimulatedSgx, type PlatformOptions, type QuoteRequest } from '#simulator';
import { hash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SimulatedEnclave } from '../../apps/cli/src/demo/simulated-enclave.js';
import type { Layout } from '../../apps/cli/src/up/layout.js';

/** A measurement: the hash of a word, as there is no enclave image. */
export const measured = (word: string) => hash('sha256', `test enclave ${word}`, 'hex');
export const SIGNER = hash('sha256', 'test signer', 'hex');

export const identityOf = (word: string): QuoteRequest => ({
  mrenclave: measured(word),
  mrsigner: SIGNER,
  isvProdId: 1,
  isvSvn: 3,
});

/** The machines of a running deployment: the same simulated PKI, read from its state folder. */
export class Machines {
  readonly sgx: SimulatedSgx;

  constructor(private readonly layout: Layout) {
    this.sgx = SimulatedSgx.fromJSON(JSON.parse(readFileSync(layout.simulator, 'utf8')));
  }

  /** An enclave on a machine of the deployment's platform family (its collateral is there). */
  enclave(word: string, change: QuoteRequest = {}, machine: PlatformOptions = {}): SimulatedEnclave {
    const platform = this.sgx.platform({ name: 'demo', ...machine });
    return new SimulatedEnclave(platform, { ...identityOf(word), ...change } as QuoteRequest);
  }

  /** Gives the verifier further collateral, replaced in one step as an operator's sync would. */
  addBundle(name: string, bundle: object): void {
    const file = join(this.layout.bundles, `${name}.json`);
    writeFileSync(`${file}.new`, JSON.stringify(bundle));
    renameSync(`${file}.new`, file);
  }
}
