import { checkBinding } from '../binding/report-data.js';
import type { BindingResult } from '../binding/report-data.js';
import { readCarrierCertificate } from './carrier-certificate.js';
import type { CarrierCertificate } from './carrier-certificate.js';
import { DICE } from './dice/dice-dialect.js';
import type { CarriedEvidence, RaTlsDialect, RaTlsDialectName } from './dialect.js';
import { EvidenceError } from './evidence-error.js';
import { GRAMINE } from './gramine/gramine-dialect.js';
import { INTEL_SDK } from './intel-sdk/intel-sdk-dialect.js';
import { OCCLUM } from './occlum/occlum-dialect.js';
import { unverifiedReportData } from './quote-layout.js';
import { RATS_TLS } from './rats-tls/rats-tls-dialect.js';
import { checkSelfSignature } from './self-signature.js';

/** Evidence from a certificate, well-formed and nothing more: the quote has yet to be verified. */
export interface RaTlsEvidence extends CarriedEvidence {
  readonly dialect: RaTlsDialectName;
  /** SubjectPublicKeyInfo, DER: the key that the evidence is said to bind. */
  readonly publicKeySpki: Buffer;
  /** Whether the report data of the unverified quote binds this key; ask again with the verified report data. */
  readonly binding: BindingResult;
}

/** Dialects without claims; a certificate has one of them at most, unless it has DICE evidence, which then decides alone. */
const OLDER: readonly RaTlsDialect[] = [GRAMINE, RATS_TLS, OCCLUM];

/**
 * Reads a self-signed certificate that carries a quote. DICE evidence, where present, decides alone: when it is malformed the
 * certificate is refused, and an older extension beside it is not looked at.
 *
 * @param der the certificate as presented; not through `crypto.X509Certificate` (see {@link readCarrierCertificate})
 * @throws EvidenceError
 */
export function parseRaTlsCertificate(der: Uint8Array): RaTlsEvidence {
  const certificate = readCarrierCertificate(der);
  const dialect = dialectOf(certificate);
  if (certificate.version !== dialect.version) throw new EvidenceError('CERTIFICATE_VERSION_UNEXPECTED');
  const evidence = dialect.read(certificate);
  checkSelfSignature(certificate, dialect.sha1);
  const { quote, convention, claims } = evidence;
  const spki = certificate.spki;
  const reportData = unverifiedReportData(quote);
  const binding: BindingResult =
    reportData === undefined
      ? { ok: false, code: 'BINDING_INPUT_INVALID', message: 'the quote has no readable report data' }
      : checkBinding(convention, reportData, { spki, claims });
  return { ...evidence, dialect: dialect.name, publicKeySpki: spki, binding };
}

function dialectOf(certificate: CarrierCertificate): RaTlsDialect {
  const sdk = INTEL_SDK.present(certificate);
  if (DICE.present(certificate)) return sdk ? INTEL_SDK : DICE;
  const found = OLDER.filter((dialect) => dialect.present(certificate));
  if (found.length + (sdk ? 1 : 0) > 1) throw new EvidenceError('EVIDENCE_AMBIGUOUS');
  if (sdk) return INTEL_SDK;
  if (found[0] === undefined) throw new EvidenceError('EVIDENCE_MISSING');
  return found[0];
}
