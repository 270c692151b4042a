import { derBitString, derExplicit, derOid, derSequence, derSet, derUnsigned, derUtf8String } from '#pki';
import { sign } from 'node:crypto';
import { certificateWith, ecKeys, spkiOf } from '../../test/ra-tls/certificate-builder.js';

/** As `test/marblerun/marble-identity.ts`, of which thousands are made in seconds: bare DER and node:crypto, fewer extensions. */
export interface QuickMarble {
  /** PEM. */
  readonly key: string;
  readonly certificate: Buffer;
  readonly csr: Buffer;
}

const ECDSA_WITH_SHA384 = derSequence(derOid('1.2.840.10045.4.3.3'));
const SUBJECT = derSequence(derSet(derSequence(derOid('2.5.4.3'), derUtf8String('MarbleRun Marble'))));

export function quickMarble(): QuickMarble {
  const keys = ecKeys('P-384');
  const info = derSequence(derUnsigned(Buffer.of(0)), SUBJECT, spkiOf(keys), derExplicit(0, Buffer.alloc(0)));
  return {
    key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    certificate: certificateWith({ keys, extensions: [] }),
    csr: derSequence(info, ECDSA_WITH_SHA384, derBitString(sign('sha384', info, keys.privateKey))),
  };
}
