import { SiegelError } from '#contracts';
import { isPkiError, PublicKey } from '#pki';
import { createPublicKey } from 'node:crypto';

/** `APP.quote.bin`. @throws SiegelError EVIDENCE_EMPTY, EVIDENCE_MALFORMED */
export function quoteOf(text: string): Buffer {
  const quote = decodeBase64(text);
  if (quote === undefined)
    throw new SiegelError('EVIDENCE_MALFORMED', {
      reason: { code: 'QUOTE_NOT_BASE64', message: 'the quote is not base64 (RFC 4648 §4)' },
    });
  if (quote.length === 0) throw new SiegelError('EVIDENCE_EMPTY');
  return quote;
}

/**
 * `APP.provision.key`: an RSA public key as PEM or base64 of DER, RSAPublicKey (RFC 8017 §A.1.1) or SubjectPublicKeyInfo (RFC 5280 §4.1);
 * which of them the tool writes is not documented.
 *
 * @throws SiegelError PUBLIC_KEY_INVALID
 */
export function provisioningKeyOf(text: string): PublicKey {
  const [, label, pemBody] = PEM.exec(text) ?? [];
  const der = decodeBase64(pemBody ?? text);
  if (der === undefined || der.length === 0)
    throw unacceptable('it is neither PEM nor base64 of a public key');
  const key = readKey(der, label);
  if (key.kind !== 'RSA') throw unacceptable('a provisioning key is an RSA key');
  return key;
}

/** The label of a private key is none of these: one that was sent by mistake is refused unread. */
const PEM = /^\s*-----BEGIN ((?:RSA )?PUBLIC KEY)-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END \1-----\s*$/;

function readKey(der: Buffer, label: string | undefined): PublicKey {
  if (label === 'RSA PUBLIC KEY') return fromPkcs1(der);
  try {
    return PublicKey.fromSpki(der);
  } catch (error) {
    if (!isPkiError(error)) throw error;
    if (label === undefined && error.code === 'KEY_MALFORMED') return fromPkcs1(der);
    throw unacceptable(error.message, error.code);
  }
}

function fromPkcs1(der: Buffer): PublicKey {
  const key = importPkcs1(der);
  // Node takes a private key there as well, and other encodings than the one.
  if (!key.keyObject.export({ format: 'der', type: 'pkcs1' }).equals(der))
    throw unacceptable('it is no RSA public key');
  return key;
}

function importPkcs1(der: Buffer): PublicKey {
  try {
    return PublicKey.fromKeyObject(createPublicKey({ key: der, format: 'der', type: 'pkcs1' }));
  } catch (error) {
    if (isPkiError(error)) throw unacceptable(error.message, error.code);
    throw unacceptable('it is no RSA public key');
  }
}

/** Strict, but for line ends. */
function decodeBase64(text: string): Buffer | undefined {
  const plain = text.replace(/[\r\n]/g, '');
  const bytes = Buffer.from(plain, 'base64');
  return bytes.toString('base64') === plain ? bytes : undefined;
}

const unacceptable = (message: string, code = 'PROVISIONING_KEY_INVALID'): SiegelError =>
  new SiegelError('PUBLIC_KEY_INVALID', { detail: message, reason: { code, message } });
