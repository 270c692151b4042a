import {
  derBitString,
  derExplicit,
  derNull,
  derOctetString,
  derOid,
  derSequence,
  derSet,
  derTime,
  derUnsigned,
  derUtf8String,
  toPem,
} from '#pki';
import { generateKeyPair, hash, sign } from 'node:crypto';
import { promisify } from 'node:util';
import type { ServerQuotes } from './server-quote.js';

export interface ServerIdentity {
  readonly key: string;
  readonly cert: string;
}

const EVIDENCE_OID = '1.2.840.113741.1';
const SHA1_WITH_RSA = '1.2.840.113549.1.1.5';
const COMMON_NAME = '2.5.4.3';
/** The client's buffer for the certificate (occlum_verify_cert). */
const MAX_PEM_CHARACTERS = 16_000;
const MIN_QUOTE_BYTES = 256;
const LIFETIME_MS = 7 * 24 * 3_600_000;

/**
 * A new RSA-2048 key that lives in memory alone, and the certificate over it that Occlum's client demands of its server: the layout of its
 * own client certificates (X.509 version 1 with an extension, signed with SHA-1), with a quote over the SHA-256 of the key. What counts
 * in it is the quote; neither name nor signature are looked at.
 *
 * @throws Error where there is no quote, or none that the client could read
 */
export async function serverIdentity(quotes: ServerQuotes, now: Date): Promise<ServerIdentity> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const quote = await quotes.quote(Buffer.concat([hash('sha256', spki, 'buffer'), Buffer.alloc(32)]));
  // The client strips four bytes of DER before the quote: tag, and a length of two bytes behind its mark.
  if (quote.length < MIN_QUOTE_BYTES || quote.length > 0xffff)
    throw new Error(`a quote of ${quote.length} bytes cannot be read by Occlum's client`);
  const algorithm = derSequence(derOid(SHA1_WITH_RSA), derNull);
  const name = derSequence(derSet(derSequence(derOid(COMMON_NAME), derUtf8String('localhost'))));
  const tbs = derSequence(
    derUnsigned(Buffer.of(1)),
    algorithm,
    name,
    derSequence(derTime(new Date(now.getTime() - 3_600_000)), derTime(new Date(now.getTime() + LIFETIME_MS))),
    name,
    spki,
    derExplicit(3, derSequence(derSequence(derOid(EVIDENCE_OID), derOctetString(quote)))),
  );
  const certificate = derSequence(tbs, algorithm, derBitString(sign('sha1', tbs, privateKey)));
  const cert = toPem('CERTIFICATE', certificate);
  if (cert.length >= MAX_PEM_CHARACTERS)
    throw new Error(`a certificate of ${cert.length} characters does not fit into the client's buffer`);
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, cert };
}
