import type { CollateralBundle } from '#dcap';
import type { CollateralKey } from '../../collateral-key.js';
import { editionQuery, type Edition } from '../../edition.js';
import { BoundedClient, type ClientOptions } from '../../http/bounded-client.js';
import { certificationBase, fetchBundle } from '../../http/certification-api.js';
import { fetchPckChain } from '../../http/pck-lookup.js';
import type { CollateralSource, PckQuery } from '../collateral-source.js';

export interface PccsOptions extends ClientOptions {
  /** Without `/sgx/certification/v4`. */
  readonly baseUrl: string;
}

/**
 * A Provisioning Certificate Caching Service. It has the paths of PCS v4 and one more for the root CRL; its CRLs are hex text
 * unless DER is asked for, and the root CRL is always (Intel PCCS, services/).
 */
export class PccsSource implements CollateralSource {
  readonly name = 'pccs';
  private readonly client: BoundedClient;

  constructor(private readonly options: PccsOptions) {
    this.client = new BoundedClient(this.name, options);
  }

  async fetch(
    key: CollateralKey,
    edition: Edition,
    signal: AbortSignal,
  ): Promise<readonly CollateralBundle[]> {
    const { baseUrl } = this.options;
    const base = certificationBase(baseUrl, key);
    const sgx = `${baseUrl}/sgx/certification/v4`;
    const bundle = await fetchBundle(
      this.name,
      this.client,
      {
        tcbInfo: `${base}/tcb?fmspc=${key.fmspc}&${editionQuery(edition)}`,
        qeIdentity: `${base}/qe/identity?${editionQuery(edition)}`,
        pckCrl: `${sgx}/pckcrl?ca=${key.ca}&encoding=der`,
        rootCrl: [`${sgx}/rootcacrl`],
        headers: {},
      },
      signal,
    );
    return [bundle];
  }

  pckChain(query: PckQuery, signal: AbortSignal): Promise<string> {
    const parameters = new URLSearchParams({
      qeid: query.qeId,
      encrypted_ppid: query.encryptedPpid,
      cpusvn: query.cpuSvn,
      pcesvn: query.pceSvn,
      pceid: query.pceId,
    });
    const address = `${this.options.baseUrl}/sgx/certification/v4/pckcert?${parameters}`;
    return fetchPckChain(this.name, this.client, address, {}, query, signal);
  }

  close(): Promise<void> {
    return this.client.close();
  }
}
