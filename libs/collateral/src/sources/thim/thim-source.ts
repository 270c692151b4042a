import type { CollateralBundle } from '#dcap';
import type { CollateralKey } from '../../collateral-key.js';
import type { Edition } from '../../edition.js';
import { BoundedClient, type ClientOptions } from '../../http/bounded-client.js';
import { certificationBase, fetchBundle } from '../../http/certification-api.js';
import { type CollateralSource, SourceError } from '../collateral-source.js';

export interface ThimOptions extends ClientOptions {
  /** The host agent, the global cache, a regional endpoint: asked in this order. */
  readonly baseUrls: readonly string[];
  readonly rootCrlUrl: string;
}

const CLIENT = 'clientid=production_client';
// The versions that Microsoft's own client sends (Azure-DCAP-Client, dcap_provider.cpp).
const COLLATERAL_VERSION = 'api-version=2018-10-01-preview';
const CRL_VERSION = 'api-version=2020-02-12-preview';

/**
 * Azure's Trusted Hardware Identity Management. It is known to serve TCB info past its nextUpdate, so that it usually needs a
 * grace or stands last; it has no update channels. CRLs are asked for by the address of Intel's CRL, which is configuration
 * here and never taken from a certificate.
 */
export class ThimSource implements CollateralSource {
  readonly name = 'thim';
  private readonly client: BoundedClient;

  constructor(private readonly options: ThimOptions) {
    this.client = new BoundedClient(this.name, options);
  }

  async fetch(
    key: CollateralKey,
    edition: Edition,
    signal: AbortSignal,
  ): Promise<readonly CollateralBundle[]> {
    if (edition !== 'standard')
      throw new SourceError(this.name, 'unsupported', `THIM does not offer the edition "${edition}"`);
    let failure: unknown;
    for (const baseUrl of this.options.baseUrls) {
      try {
        return [await this.fetchFrom(baseUrl, key, signal)];
      } catch (error) {
        failure ??= error;
        if (signal.aborted) break;
      }
    }
    throw failure;
  }

  close(): Promise<void> {
    return this.client.close();
  }

  private fetchFrom(baseUrl: string, key: CollateralKey, signal: AbortSignal): Promise<CollateralBundle> {
    const base = certificationBase(baseUrl, key);
    const crl = `${baseUrl}/sgx/certification/v4/pckcrl`;
    const rootCrl = encodeURIComponent(this.options.rootCrlUrl);
    return fetchBundle(
      this.name,
      this.client,
      {
        tcbInfo: `${base}/tcb?fmspc=${key.fmspc}&${CLIENT}&${COLLATERAL_VERSION}`,
        qeIdentity: `${base}/qe/identity?${CLIENT}&${COLLATERAL_VERSION}`,
        pckCrl: `${crl}?ca=${key.ca}&${CLIENT}&${COLLATERAL_VERSION}`,
        // The form of the SGX service, then that of the TDX service.
        rootCrl: [
          `${crl}?uri=${rootCrl}&${CLIENT}&${CRL_VERSION}`,
          `${baseUrl}/tdx/certification/v4/rootcacrl?${CLIENT}&${CRL_VERSION}`,
        ],
        // The host agent refuses requests without it, as a guard against forged requests through a proxy.
        headers: { metadata: 'true' },
      },
      signal,
    );
  }
}
