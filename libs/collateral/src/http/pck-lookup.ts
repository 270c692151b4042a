import { canonicalChain, chainHeader, textBody } from './answer-formats.js';
import type { BoundedClient } from './bounded-client.js';
import { type PckQuery, SourceError } from '../sources/collateral-source.js';

/** `GET …/pckcert`: the PCK certificate of a platform with its issuers, PEM, leaf first. Throws SourceError. */
export async function fetchPckChain(
  source: string,
  client: BoundedClient,
  address: string,
  headers: Readonly<Record<string, string>>,
  query: PckQuery,
  signal: AbortSignal,
): Promise<string> {
  const answer = await client.get(address, headers, signal);
  // A server that has no certificate for exactly this TCB answers with the nearest; then the QE report does not verify, so
  // say here what is wrong rather than let the evidence look forged.
  const tcbm = answer.header('sgx-tcbm');
  if (tcbm !== undefined && tcbm.toLowerCase() !== `${query.cpuSvn}${query.pceSvn}`)
    throw new SourceError(source, 'not-found', 'the server has a PCK certificate for another TCB only');
  const leaf = canonicalChain(source, textBody(source, answer));
  return leaf + chainHeader(source, answer, ['SGX-PCK-Certificate-Issuer-Chain']);
}
