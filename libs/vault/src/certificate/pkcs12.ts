import { createCipheriv, pbkdf2Sync, randomBytes } from 'node:crypto';
import {
  derAt,
  derElement,
  derElements,
  derEncode,
  derOid,
  derSmallInteger,
  oidOf,
  smallInteger,
  TAG,
  type DerElement,
} from './der.js';
import { checkMac, decryptByAlgorithm, macOf, OID, passwordForms } from './pkcs12-cipher.js';

const MAX_BYTES = 256 * 1024;
const DATA = '1.2.840.113549.1.7.1';
const ENCRYPTED_DATA = '1.2.840.113549.1.7.6';
const KEY_BAG = '1.2.840.113549.1.12.10.1.1';
const SHROUDED_KEY_BAG = '1.2.840.113549.1.12.10.1.2';
const CERT_BAG = '1.2.840.113549.1.12.10.1.3';
const X509_CERT = '1.2.840.113549.1.9.22.1';
const ITERATIONS = 2_000;

export interface Pkcs12Content {
  /** PKCS#8 DER. */
  readonly privateKeys: readonly Buffer[];
  /** X.509 DER. */
  readonly certificates: readonly Buffer[];
}

/**
 * Reads a PFX (RFC 7292) with password integrity: PBES2 with AES, or triple DES; the MAC is required and checked.
 * Node's crypto has no reader for the private key in it.
 * @throws Error
 */
export function readPkcs12(pfx: Uint8Array, password: string): Pkcs12Content {
  if (pfx.length > MAX_BYTES) throw new Error(`PKCS#12: larger than ${MAX_BYTES} bytes`);
  const parts = derElements(derElement(pfx, TAG.sequence).content);
  if (smallInteger(derAt(parts, 0, TAG.integer)) !== 3) throw new Error('PKCS#12: not version 3');
  const authSafe = dataOf(derAt(parts, 1, TAG.sequence));
  if (parts[2] === undefined) throw new Error('PKCS#12: without a MAC');
  const mac = derAt(parts, 2, TAG.sequence);
  const form = passwordForms(password).find((candidate) => checkMac(mac, authSafe, candidate));
  if (form === undefined) throw new Error('PKCS#12: the password is wrong or the file is damaged');

  const privateKeys: Buffer[] = [];
  const certificates: Buffer[] = [];
  for (const info of derElements(derElement(authSafe, TAG.sequence).content)) {
    const safe = contentOf(info, password, form);
    for (const bag of derElements(derElement(safe, TAG.sequence).content)) {
      const fields = derElements(bag.content);
      const kind = oidOf(derAt(fields, 0, TAG.oid));
      const value = derAt(fields, 1, TAG.context0).content;
      if (kind === KEY_BAG) privateKeys.push(Buffer.from(value));
      else if (kind === SHROUDED_KEY_BAG) privateKeys.push(decryptPair(value, password, form));
      else if (kind === CERT_BAG) certificates.push(...certificateOf(value));
    }
  }
  return { privateKeys, certificates };
}

/** Writes a PFX as Key Vault does: AES-256-CBC by PBES2, HMAC-SHA-256; leaf first. */
export function writePkcs12(
  privateKey: Uint8Array,
  certificates: readonly Uint8Array[],
  password: string,
): Buffer {
  const { algorithm, ciphertext } = encryptPbes2(privateKey, password);
  const localKeyId = derEncode(
    TAG.set,
    derEncode(
      TAG.sequence,
      derOid('1.2.840.113549.1.9.21'),
      derEncode(TAG.set, derEncode(TAG.octetString, Buffer.from([1, 0, 0, 0]))),
    ),
  );
  const keyBag = derEncode(
    TAG.sequence,
    derOid(SHROUDED_KEY_BAG),
    derEncode(TAG.context0, derEncode(TAG.sequence, algorithm, derEncode(TAG.octetString, ciphertext))),
    localKeyId,
  );
  const certBags = certificates.map((certificate, index) =>
    derEncode(
      TAG.sequence,
      derOid(CERT_BAG),
      derEncode(
        TAG.context0,
        derEncode(
          TAG.sequence,
          derOid(X509_CERT),
          derEncode(TAG.context0, derEncode(TAG.octetString, certificate)),
        ),
      ),
      ...(index === 0 ? [localKeyId] : []),
    ),
  );
  const data = (content: Buffer): Buffer =>
    derEncode(TAG.sequence, derOid(DATA), derEncode(TAG.context0, derEncode(TAG.octetString, content)));
  const authSafe = derEncode(
    TAG.sequence,
    data(derEncode(TAG.sequence, keyBag)),
    data(derEncode(TAG.sequence, ...certBags)),
  );
  const salt = randomBytes(16);
  const mac = macOf('sha256', authSafe, passwordForms(password)[0] ?? Buffer.alloc(0), salt, ITERATIONS);
  const digestInfo = derEncode(
    TAG.sequence,
    derEncode(TAG.sequence, derOid(OID.sha256), derEncode(TAG.null)),
    derEncode(TAG.octetString, mac),
  );
  return derEncode(
    TAG.sequence,
    derSmallInteger(3),
    data(authSafe),
    derEncode(TAG.sequence, digestInfo, derEncode(TAG.octetString, salt), derSmallInteger(ITERATIONS)),
  );
}

function encryptPbes2(plain: Uint8Array, password: string): { algorithm: Buffer; ciphertext: Buffer } {
  const salt = randomBytes(16);
  const iv = randomBytes(16);
  const cipher = createCipheriv('aes-256-cbc', pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256'), iv);
  const prf = derEncode(TAG.sequence, derOid(OID.hmacSha256), derEncode(TAG.null));
  const kdf = derEncode(TAG.sequence, derEncode(TAG.octetString, salt), derSmallInteger(ITERATIONS), prf);
  const algorithm = derEncode(
    TAG.sequence,
    derOid(OID.pbes2),
    derEncode(
      TAG.sequence,
      derEncode(TAG.sequence, derOid(OID.pbkdf2), kdf),
      derEncode(TAG.sequence, derOid(OID.aes256Cbc), derEncode(TAG.octetString, iv)),
    ),
  );
  return { algorithm, ciphertext: Buffer.concat([cipher.update(plain), cipher.final()]) };
}

/** ContentInfo of type data. */
function dataOf(info: DerElement): Buffer {
  const fields = derElements(info.content);
  if (oidOf(derAt(fields, 0, TAG.oid)) !== DATA) throw new Error('PKCS#12: content is not of type data');
  return derElement(derAt(fields, 1, TAG.context0).content, TAG.octetString).content;
}

function contentOf(info: DerElement, password: string, form: Buffer): Buffer {
  const fields = derElements(info.content);
  const type = oidOf(derAt(fields, 0, TAG.oid));
  if (type === DATA) return dataOf(info);
  if (type !== ENCRYPTED_DATA) throw new Error(`PKCS#12: content of type ${type} is not supported`);
  const encrypted = derElements(derElement(derAt(fields, 1, TAG.context0).content, TAG.sequence).content);
  const contentInfo = derElements(derAt(encrypted, 1, TAG.sequence).content);
  const ciphertext = derAt(contentInfo, 2, TAG.context0Primitive).content;
  return decryptByAlgorithm(derAt(contentInfo, 1, TAG.sequence), ciphertext, password, form);
}

function decryptPair(value: Uint8Array, password: string, form: Buffer): Buffer {
  const fields = derElements(derElement(value, TAG.sequence).content);
  return decryptByAlgorithm(
    derAt(fields, 0, TAG.sequence),
    derAt(fields, 1, TAG.octetString).content,
    password,
    form,
  );
}

function certificateOf(value: Uint8Array): Buffer[] {
  const fields = derElements(derElement(value, TAG.sequence).content);
  if (oidOf(derAt(fields, 0, TAG.oid)) !== X509_CERT) return [];
  return [Buffer.from(derElement(derAt(fields, 1, TAG.context0).content, TAG.octetString).content)];
}
