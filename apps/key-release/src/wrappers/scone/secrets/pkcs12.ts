import { derExplicit, derNull, derOctetString, derOid, derSequence, derSet, derUnsigned } from '#pki';
import { createHmac, hash, randomBytes } from 'node:crypto';

const OID = {
  data: '1.2.840.113549.1.7.1',
  keyBag: '1.2.840.113549.1.12.10.1.1',
  certBag: '1.2.840.113549.1.12.10.1.3',
  x509: '1.2.840.113549.1.9.22.1',
  localKeyId: '1.2.840.113549.1.9.21',
  sha256: '2.16.840.1.101.3.4.2.1',
};
const ITERATIONS = 2_048;
const BLOCK = 64;
const MAC_KEY = 3;

/**
 * PFX (RFC 7292) of a private key and its certificates, the first being the key's, under the empty password. With that password
 * encryption would protect nothing: the key lies in a plain key bag, and the MAC is there because readers ask for it.
 */
export function pkcs12(privateKey: Buffer, certificates: readonly Buffer[]): Buffer {
  const keyId = hash('sha1', certificates[0] ?? '', 'buffer');
  const contents = derSequence(
    derSequence(derOid(OID.keyBag), derExplicit(0, privateKey), localKeyId(keyId)),
    ...certificates.map((certificate, at) =>
      derSequence(
        derOid(OID.certBag),
        derExplicit(0, derSequence(derOid(OID.x509), derExplicit(0, derOctetString(certificate)))),
        ...(at === 0 ? [localKeyId(keyId)] : []),
      ),
    ),
  );
  const safe = derSequence(dataContent(contents));
  const salt = randomBytes(16);
  const mac = createHmac('sha256', macKey(salt)).update(safe).digest();
  return derSequence(
    derUnsigned(Buffer.of(3)),
    dataContent(safe),
    derSequence(
      derSequence(derSequence(derOid(OID.sha256), derNull), derOctetString(mac)),
      derOctetString(salt),
      derUnsigned(Buffer.of(ITERATIONS >> 8, ITERATIONS & 0xff)),
    ),
  );
}

const dataContent = (content: Buffer): Buffer =>
  derSequence(derOid(OID.data), derExplicit(0, derOctetString(content)));

const localKeyId = (id: Buffer): Buffer =>
  derSet(derSequence(derOid(OID.localKeyId), derSet(derOctetString(id))));

/** RFC 7292 appendix B.2 with SHA-256, for the empty password (two zero bytes) and one block of output. */
function macKey(salt: Buffer): Buffer {
  const diversifier = Buffer.alloc(BLOCK, MAC_KEY);
  const input = Buffer.concat([filled(salt), filled(Buffer.alloc(2))]);
  let digest = hash('sha256', Buffer.concat([diversifier, input]), 'buffer');
  for (let round = 1; round < ITERATIONS; round++) digest = hash('sha256', digest, 'buffer');
  return digest;
}

/** Repeated to whole blocks. */
function filled(bytes: Buffer): Buffer {
  return Buffer.alloc(Math.ceil(bytes.length / BLOCK) * BLOCK, bytes);
}
