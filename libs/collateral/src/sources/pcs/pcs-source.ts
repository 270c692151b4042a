import type { CollateralBundle } from '#dcap';
import type { CollateralKey } from '../../collateral-key.js';
import { editionQuery, type Edition } from '../../edition.js';
import { BoundedClient, type ClientOptions } from '../../http/bounded-client.js';
import { certificationBase, fetchBundle } from '../../http/certification-api.js';
import { fetchPckChain } from '../../http/pck-lookup.js';
import { type CollateralSource, type PckQuery, SourceError } from '../collateral-source.js';

export interface PcsOptions extends ClientOptions {
  readonly baseUrl: string;
  readonly rootCrlUrl: string;
  /** Subscription key; only PCK certificates need it. */
  readonly subscriptionKey?: string;
}

/** Intel's Provisioning Certification Service, API v4. */
export class PcsSource implements CollateralSource {
  readonly name = 'pcs';
  private readonly client: BoundedClient;

  constructor(private readonly options: PcsOptions) {
    this.client = new BoundedClient(this.name, options);
  }

  async fetch(
    key: CollateralKey,
    edition: Edition,
    signal: AbortSignal,
  ): Promise<readonly CollateralBundle[]> {
    const { baseUrl, rootCrlUrl } = this.options;
    const base = certificationBase(baseUrl, key);
    const bundle = await fetchBundle(
      this.name,
      this.client,
      {
        tcbInfo: `${base}/tcb?fmspc=${key.fmspc}&${editionQuery(edition)}`,
        qeIdentity: `${base}/qe/identity?${editionQuery(edition)}`,
        pckCrl: `${baseUrl}/sgx/certification/v4/pckcrl?ca=${key.ca}&encoding=der`,
        rootCrl: [rootCrlUrl],
        headers: {},
      },
      signal,
    );
    return [bundle];
  }

  async pckChain(query: PckQuery, signal: AbortSignal): Promise<string> {
    const { baseUrl, subscriptionKey } = this.options;
    if (subscriptionKey === undefined)
      throw new SourceError(this.name, 'unsupported', 'looking PCK certificates up needs a subscription key');
    if (query.encryptedPpid === '')
      throw new SourceError(this.name, 'unsupported', 'PCS finds certificates by encrypted PPID only');
    const parameters = new URLSearchParams({
      encrypted_ppid: query.encryptedPpid,
      cpusvn: query.cpuSvn,
      pcesvn: query.pceSvn,
      pceid: query.pceId,
    });
    return fetchPckChain(
      this.name,
      this.client,
      `${baseUrl}/sgx/certification/v4/pckcert?${parameters}`,
      { 'ocp-apim-subscription-key': subscriptionKey },
      query,
      signal,
    );
  }

  close(): Promise<void> {
    return this.client.close();
  }
}
