import type { CollateralBundle } from '#dcap';
import { hash } from 'node:crypto';

const sha256 = (data: string | Uint8Array): string => hash('sha256', data, 'hex');

/**
 * `x-ms-sgx-collateral`: SHA-256, hex, of the quote and of what it was verified with. Documents are hashed as Intel serves them
 * (`{"tcbInfo":…,"signature":"…"}`), chains as PEM text, revocation lists as DER.
 */
export function collateralClaim(quote: Uint8Array, bundle: CollateralBundle): Record<string, string> {
  const document = (name: string, text: string, signature: string): string =>
    sha256(`{"${name}":${text},"signature":"${signature}"}`);
  return {
    qeidcertshash: sha256(bundle.qe_identity_issuer_chain),
    qeidcrlhash: sha256(Buffer.from(bundle.root_ca_crl, 'hex')),
    qeidhash: document('enclaveIdentity', bundle.qe_identity, bundle.qe_identity_signature),
    quotehash: sha256(quote),
    tcbinfocertshash: sha256(bundle.tcb_info_issuer_chain),
    tcbinfocrlhash: sha256(Buffer.from(bundle.pck_crl, 'hex')),
    tcbinfohash: document('tcbInfo', bundle.tcb_info, bundle.tcb_info_signature),
  };
}
