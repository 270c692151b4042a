import { DerReader, TAG } from '#dcap';
import { derOid, derSequence } from '#pki';
import { sign, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import type { CertifiedKey } from '../interface.js';

/** What stands in every certificate of one issuer, and its signature. */
export interface Issuer {
  /** DER Name, byte for byte the issuer's subject. */
  readonly name: Buffer;
  readonly keyIdentifier: Buffer;
  /** DER AlgorithmIdentifier. */
  readonly algorithm: Buffer;
  /** ECDSA-Sig-Value, DER. */
  sign(tbs: Buffer): Buffer | Promise<Buffer>;
}

const signAside = promisify(
  (
    hash: string,
    data: Buffer,
    key: KeyObject,
    done: (error: Error | null, signature: Buffer) => void,
  ): void => sign(hash, data, key, done),
);
const known = new WeakMap<CertifiedKey, Issuer>();

/** Reads once what certificates need of their issuer. @throws DcapError DER_INVALID, Error for a key of another kind */
export function issuerOf(certified: CertifiedKey): Issuer {
  const found = known.get(certified);
  if (found) return found;
  const curve = certified.privateKey.asymmetricKeyDetails?.namedCurve;
  const made: Issuer = { ...partsOf(certified.certificate), ...signatureOf(curve, certified.privateKey) };
  known.set(certified, made);
  return made;
}

function signatureOf(curve: string | undefined, key: KeyObject): Pick<Issuer, 'algorithm' | 'sign'> {
  switch (curve) {
    case 'prime256v1':
      return {
        algorithm: derSequence(derOid('1.2.840.10045.4.3.2')),
        sign: (tbs) => sign('sha256', tbs, key),
      };
    case 'secp384r1':
      // A millisecond each, which other activations need not wait for.
      return {
        algorithm: derSequence(derOid('1.2.840.10045.4.3.3')),
        sign: (tbs) => signAside('sha384', tbs, key),
      };
    default:
      throw new Error(`a coordinator signs with P-256 or P-384, not ${curve}`);
  }
}

/** Subject and subject key identifier (RFC 5280 §4.1). */
function partsOf(certificate: Buffer): Pick<Issuer, 'name' | 'keyIdentifier'> {
  const tbs = DerReader.inside(
    DerReader.inside(DerReader.exactly(certificate, TAG.sequence)).next(TAG.sequence),
  );
  tbs.optional(TAG.context(0));
  tbs.next(TAG.integer);
  tbs.next(TAG.sequence);
  tbs.next(TAG.sequence);
  tbs.next(TAG.sequence);
  const name = tbs.next(TAG.sequence).raw;
  tbs.next(TAG.sequence);
  const extensions = DerReader.inside(tbs.next(TAG.context(3))).sequence();
  while (!extensions.atEnd) {
    const extension = extensions.sequence();
    const oid = extension.next(TAG.oid);
    extension.optional(TAG.boolean);
    const value = extension.next(TAG.octetString);
    if (!oid.raw.equals(SUBJECT_KEY_IDENTIFIER)) continue;
    return { name, keyIdentifier: DerReader.exactly(Buffer.from(value.value), TAG.octetString).value };
  }
  throw new Error('the certificate of a coordinator has no subject key identifier');
}

const SUBJECT_KEY_IDENTIFIER = derOid('2.5.29.14');
