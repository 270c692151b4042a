import type { CollateralBundle } from '#dcap';
import type { CollateralKey } from '../collateral-key.js';
import { chainHeader, crlBody, signedDocument } from './answer-formats.js';
import { SourceError } from '../sources/collateral-source.js';
import type { BoundedClient, HttpAnswer } from './bounded-client.js';

/** How one server lays the PCS v4 API out: where its parts are and what its requests carry. */
export interface CertificationApi {
  readonly tcbInfo: string;
  readonly qeIdentity: string;
  readonly pckCrl: string;
  /** Addresses of the root CRL; a further one is tried where the server does not know the one before. */
  readonly rootCrl: readonly [string, ...string[]];
  readonly headers: Readonly<Record<string, string>>;
}

// PCS API v4, and the names of v3 and of Azure THIM for the same headers.
const TCB_CHAIN = ['TCB-Info-Issuer-Chain', 'SGX-TCB-Info-Issuer-Chain'];
const QE_CHAIN = ['SGX-Enclave-Identity-Issuer-Chain', 'SGX-QE-Identity-Issuer-Chain'];
const CRL_CHAIN = ['SGX-PCK-CRL-Issuer-Chain'];

/** The path below `…/certification/v4` of a key's TCB info and QE identity. */
export const certificationBase = (base: string, key: Pick<CollateralKey, 'tee'>): string =>
  `${base}/${key.tee}/certification/v4`;

/** Fetches the four parts of a bundle at once; the first that fails ends the others. Throws SourceError. */
export async function fetchBundle(
  source: string,
  client: BoundedClient,
  api: CertificationApi,
  signal: AbortSignal,
): Promise<CollateralBundle> {
  const others = new AbortController();
  const either = AbortSignal.any([signal, others.signal]);
  const get = (address: string): Promise<HttpAnswer> => client.get(address, api.headers, either);
  try {
    const [tcb, qe, pckCrl, rootCrl] = await Promise.all([
      get(api.tcbInfo),
      get(api.qeIdentity),
      get(api.pckCrl),
      firstKnown(api.rootCrl, get),
    ]);
    const tcbInfo = signedDocument(source, tcb, 'tcbInfo');
    const qeIdentity = signedDocument(source, qe, 'enclaveIdentity');
    return {
      tcb_info: tcbInfo.body,
      tcb_info_signature: tcbInfo.signature,
      tcb_info_issuer_chain: chainHeader(source, tcb, TCB_CHAIN),
      qe_identity: qeIdentity.body,
      qe_identity_signature: qeIdentity.signature,
      qe_identity_issuer_chain: chainHeader(source, qe, QE_CHAIN),
      root_ca_crl: crlBody(source, rootCrl),
      pck_crl: crlBody(source, pckCrl),
      pck_crl_issuer_chain: chainHeader(source, pckCrl, CRL_CHAIN),
    };
  } finally {
    others.abort();
  }
}

async function firstKnown(
  addresses: CertificationApi['rootCrl'],
  get: (address: string) => Promise<HttpAnswer>,
): Promise<HttpAnswer> {
  const [address, ...others] = addresses;
  try {
    return await get(address);
  } catch (error) {
    const unknown = error instanceof SourceError && (error.kind === 'not-found' || error.kind === 'refused');
    const [next, ...rest] = others;
    if (!unknown || next === undefined) throw error;
    return firstKnown([next, ...rest], get);
  }
}
