import { createDecipheriv, createHash, createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto';
import { derAt, derElements, oidOf, smallInteger, TAG, type DerElement } from './der.js';

/** OIDs of PKCS#12 and PKCS#5 encryption. */
export const OID = {
  pbes2: '1.2.840.113549.1.5.13',
  pbkdf2: '1.2.840.113549.1.5.12',
  hmacSha1: '1.2.840.113549.2.7',
  hmacSha256: '1.2.840.113549.2.9',
  hmacSha384: '1.2.840.113549.2.10',
  hmacSha512: '1.2.840.113549.2.11',
  aes128Cbc: '2.16.840.1.101.3.4.1.2',
  aes192Cbc: '2.16.840.1.101.3.4.1.22',
  aes256Cbc: '2.16.840.1.101.3.4.1.42',
  tripleDesSha1: '1.2.840.113549.1.12.1.3',
  rc2Sha1: '1.2.840.113549.1.12.1.6',
  sha1: '1.3.14.3.2.26',
  sha256: '2.16.840.1.101.3.4.2.1',
  sha384: '2.16.840.1.101.3.4.2.2',
  sha512: '2.16.840.1.101.3.4.2.3',
} as const;

// 10 million rounds take seconds: more can only be meant to stall the reader.
const MAX_ITERATIONS = 2_000_000;
const PRF: Record<string, string> = {
  [OID.hmacSha1]: 'sha1',
  [OID.hmacSha256]: 'sha256',
  [OID.hmacSha384]: 'sha384',
  [OID.hmacSha512]: 'sha512',
};
const HASH: Record<string, { name: string; output: number; block: number }> = {
  [OID.sha1]: { name: 'sha1', output: 20, block: 64 },
  [OID.sha256]: { name: 'sha256', output: 32, block: 64 },
  [OID.sha384]: { name: 'sha384', output: 48, block: 128 },
  [OID.sha512]: { name: 'sha512', output: 64, block: 128 },
};
const AES: Record<string, { name: string; key: number }> = {
  [OID.aes128Cbc]: { name: 'aes-128-cbc', key: 16 },
  [OID.aes192Cbc]: { name: 'aes-192-cbc', key: 24 },
  [OID.aes256Cbc]: { name: 'aes-256-cbc', key: 32 },
};

/**
 * The forms that a PKCS#12 password can have. For the empty password writers disagree: a terminated empty BMPString
 * (Windows, OpenSSL), or no bytes at all (Java, NSS).
 */
export const passwordForms = (password: string): readonly Buffer[] => {
  const terminated = Buffer.from(`${password}\0`, 'utf16le').swap16();
  return password === '' ? [terminated, Buffer.alloc(0)] : [terminated];
};

/** Decrypts by an AlgorithmIdentifier (PBES2 with AES, or the PKCS#12 triple DES of Windows before 2022). @throws Error */
export function decryptByAlgorithm(
  algorithm: DerElement,
  ciphertext: Uint8Array,
  password: string,
  form: Buffer,
): Buffer {
  const parts = derElements(algorithm.content);
  const oid = oidOf(derAt(parts, 0, TAG.oid));
  const parameters = derElements(derAt(parts, 1, TAG.sequence).content);
  if (oid === OID.pbes2) return decryptPbes2(parameters, ciphertext, password);
  if (oid !== OID.tripleDesSha1) {
    throw new Error(
      `PKCS#12 encryption ${oid === OID.rc2Sha1 ? 'RC2' : oid} is not supported: export it with AES`,
    );
  }
  const salt = derAt(parameters, 0, TAG.octetString).content;
  const iterations = checkIterations(derAt(parameters, 1, TAG.integer));
  const hash = hashOf(OID.sha1);
  const key = derivePkcs12(hash, form, salt, iterations, 1, 24);
  const iv = derivePkcs12(hash, form, salt, iterations, 2, 8);
  const decipher = createDecipheriv('des-ede3-cbc', key, iv);
  return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
}

function decryptPbes2(parameters: readonly DerElement[], ciphertext: Uint8Array, password: string): Buffer {
  const kdf = derElements(derAt(parameters, 0, TAG.sequence).content);
  const scheme = derElements(derAt(parameters, 1, TAG.sequence).content);
  if (oidOf(derAt(kdf, 0, TAG.oid)) !== OID.pbkdf2) throw new Error('PKCS#12: only PBKDF2 is supported');
  const kdfParameters = derElements(derAt(kdf, 1, TAG.sequence).content);
  const salt = derAt(kdfParameters, 0, TAG.octetString).content;
  const iterations = checkIterations(derAt(kdfParameters, 1, TAG.integer));
  const prfElement = kdfParameters.find((element) => element.tag === TAG.sequence);
  const prf = prfElement && PRF[oidOf(derAt(derElements(prfElement.content), 0, TAG.oid))];
  if (prfElement !== undefined && prf === undefined) throw new Error('PKCS#12: unsupported PBKDF2 hash');
  const aes = AES[oidOf(derAt(scheme, 0, TAG.oid))];
  if (aes === undefined) throw new Error('PKCS#12: only AES-CBC is supported with PBES2');
  const key = pbkdf2Sync(password, salt, iterations, aes.key, prf ?? 'sha1');
  const decipher = createDecipheriv(aes.name, key, derAt(scheme, 1, TAG.octetString).content);
  return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
}

/** Whether the MacData of a PFX authenticates its content under this form of the password. @throws Error */
export function checkMac(macData: DerElement, content: Uint8Array, form: Buffer): boolean {
  const parts = derElements(macData.content);
  const digestInfo = derElements(derAt(parts, 0, TAG.sequence).content);
  const hash = hashOf(oidOf(derAt(derElements(derAt(digestInfo, 0, TAG.sequence).content), 0, TAG.oid)));
  const expected = derAt(digestInfo, 1, TAG.octetString).content;
  const salt = derAt(parts, 1, TAG.octetString).content;
  const iterations = parts[2] === undefined ? 1 : checkIterations(derAt(parts, 2, TAG.integer));
  const actual = macOf(hash.name, content, form, salt, iterations);
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}

/** The HMAC of RFC 7292 appendix B.4. */
export function macOf(
  hashName: string,
  content: Uint8Array,
  form: Buffer,
  salt: Uint8Array,
  iterations: number,
): Buffer {
  const hash = Object.values(HASH).find((candidate) => candidate.name === hashName);
  if (hash === undefined) throw new Error(`PKCS#12: unsupported MAC hash ${hashName}`);
  return createHmac(hash.name, derivePkcs12(hash, form, salt, iterations, 3, hash.output))
    .update(content)
    .digest();
}

/** The key derivation of RFC 7292 appendix B.2. */
function derivePkcs12(
  hash: { name: string; output: number; block: number },
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number,
  id: 1 | 2 | 3,
  length: number,
): Buffer {
  const { block, output } = hash;
  const filled = (bytes: Uint8Array): Buffer =>
    bytes.length === 0 ? Buffer.alloc(0) : Buffer.alloc(block * Math.ceil(bytes.length / block), bytes);
  const diversifier = Buffer.alloc(block, id);
  const state = Buffer.concat([filled(salt), filled(password)]);
  const blocks: Buffer[] = [];
  for (let made = 0; made < length; made += output) {
    let digest = createHash(hash.name).update(diversifier).update(state).digest();
    for (let round = 1; round < iterations; round++) digest = createHash(hash.name).update(digest).digest();
    blocks.push(digest);
    const addend = Buffer.alloc(block, digest);
    for (let offset = 0; offset < state.length; offset += block) {
      let carry = 1;
      for (let i = block - 1; i >= 0; i--) {
        carry += (state[offset + i] ?? 0) + (addend[i] ?? 0);
        state[offset + i] = carry & 0xff;
        carry >>= 8;
      }
    }
  }
  return Buffer.concat(blocks).subarray(0, length);
}

function hashOf(oid: string): { name: string; output: number; block: number } {
  const hash = HASH[oid];
  if (hash === undefined) throw new Error(`PKCS#12: unsupported hash ${oid}`);
  return hash;
}

function checkIterations(element: DerElement): number {
  const iterations = smallInteger(element);
  if (iterations < 1 || iterations > MAX_ITERATIONS) throw new Error(`PKCS#12: ${iterations} iterations`);
  return iterations;
}
