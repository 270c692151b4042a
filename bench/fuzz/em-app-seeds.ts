import { attestationCertificate, REPORT_BYTES } from '#evidence';
import { P256Key, p256Spki, signatureToDer } from '#simulator';
import {
  commonName,
  embeddedFqpe,
  emAppCsrDer,
  enclaveNames,
  inlineSgxLocal,
} from '../../test/fortanix/em-app-csr.js';

/** Requests of em-app for an attestation and for a certificate, by older and newer subjects. The same for the same seed of a campaign. */
export function emAppRequests(seed: string, quote: Buffer): Buffer[] {
  const key = new P256Key(Buffer.from(`em-app ${seed}`));
  const signer = {
    spki: p256Spki(key.point),
    algorithm: 'ec' as const,
    sign: (info: Buffer) => signatureToDer(key.signDeterministic(info)),
  };
  const report = Buffer.alloc(REPORT_BYTES, 0x5a);
  const attested = embeddedFqpe(attestationCertificate(Buffer.alloc(16, 7), quote), Buffer.from('node'));
  return [false, true].flatMap((extended) => {
    const names = [commonName('app.shop.svc'), ...enclaveNames(report, { extended })];
    return [
      emAppCsrDer(signer, { names, attributes: [inlineSgxLocal(report)] }),
      emAppCsrDer(signer, { names, attributes: [attested], altNames: ['app.shop.svc'] }),
    ];
  });
}
