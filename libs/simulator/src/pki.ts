import {
  chainExtensions,
  ECDSA_WITH_SHA256,
  intelName,
  issueCertificate,
  NAMES,
  type IssuedCertificate,
} from './certificate.js';
import { P256Key } from './p256-key.js';
import type { SeededBytes } from './seeded-bytes.js';
import { sgxEntries, sgxExtension, type PlatformDescription } from './sgx-extension.js';

export type PckCa = 'platform' | 'processor';

const ROOT_CRL_URL = 'https://certificates.trustedservices.intel.com/IntelSGXRootCA.der';
const pckCrlUrl = (ca: PckCa): string =>
  `https://api.trustedservices.intel.com/sgx/certification/v4/pckcrl?ca=${ca}&encoding=der`;

// Long validity keeps one PKI usable from the oldest recorded evidence to far ahead, whatever clock a test sets.
const FROM = new Date('2018-05-21T10:45:10Z');
const ROOT_UNTIL = new Date('2049-12-31T23:59:59Z');
const UNTIL = new Date('2045-05-21T10:50:10Z');

/**
 * The certificate authorities of a simulated Intel: root, PCK Platform CA, PCK Processor CA and the signer of TCB
 * documents. Names, extensions and validity are shaped like Intel's; only the keys tell them apart, as a verifier
 * that pins keys must notice.
 */
export class SimulatedPki {
  readonly root: IssuedCertificate;
  readonly platform: IssuedCertificate;
  readonly processor: IssuedCertificate;
  readonly tcbSigner: IssuedCertificate;

  constructor(private readonly seeded: SeededBytes) {
    const rootKey = this.key('root');
    this.root = issueCertificate(
      {
        version: 2,
        serial: rootKey.keyId,
        issuer: intelName(NAMES.root),
        subject: intelName(NAMES.root),
        notBefore: FROM,
        notAfter: ROOT_UNTIL,
        spki: rootKey.spki,
        extensions: chainExtensions({
          authorityKeyId: rootKey.keyId,
          subjectKeyId: rootKey.keyId,
          crlUrl: ROOT_CRL_URL,
          ca: { pathLength: 1 },
        }),
        innerAlgorithm: ECDSA_WITH_SHA256,
        outerAlgorithm: ECDSA_WITH_SHA256,
        signer: rootKey,
      },
      rootKey,
    );
    this.platform = this.underRoot('platform', NAMES.platform, { pathLength: 0 });
    this.processor = this.underRoot('processor', NAMES.processor, { pathLength: 0 });
    this.tcbSigner = this.underRoot('tcbSigner', NAMES.tcbSigner, false);
  }

  /** The key that this PKI's seed gives for a label. */
  key(label: string): P256Key {
    return new P256Key(this.seeded.bytes(`key ${label}`, 32));
  }

  /** A serial number of 20 bytes, positive, for a label. */
  serial(label: string): Buffer {
    const bytes = Buffer.from(this.seeded.bytes(`serial ${label}`, 20));
    bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
    return bytes;
  }

  /** A certificate that the root issues: a CA or, with `ca` false, an end entity. */
  underRoot(label: string, commonName: string, ca: { pathLength?: number } | false): IssuedCertificate {
    const key = this.key(label);
    return issueCertificate(
      {
        ...this.root.profile,
        serial: key.keyId,
        subject: intelName(commonName),
        notAfter: UNTIL,
        spki: key.spki,
        extensions: chainExtensions({
          authorityKeyId: this.root.key.keyId,
          subjectKeyId: key.keyId,
          crlUrl: ROOT_CRL_URL,
          ca,
        }),
      },
      key,
    );
  }

  /** The PCK certificate of a platform. */
  issuePck(
    label: string,
    ca: PckCa,
    description: PlatformDescription,
    key = this.key(`pck ${label}`),
  ): IssuedCertificate {
    const issuer = this[ca];
    return issueCertificate(
      {
        ...issuer.profile,
        serial: this.serial(`pck ${label} ${description.components.join(',')} ${description.pceSvn}`),
        issuer: issuer.profile.subject,
        subject: intelName(NAMES.pck),
        spki: key.spki,
        extensions: [
          ...chainExtensions({
            authorityKeyId: issuer.key.keyId,
            subjectKeyId: key.keyId,
            crlUrl: pckCrlUrl(ca),
            ca: false,
          }),
          sgxExtension(sgxEntries(description)),
        ],
        signer: issuer.key,
      },
      key,
    );
  }
}
