import {
  constants,
  createDecipheriv,
  createVerify,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
  X509Certificate,
} from 'node:crypto';
import { expect } from '@jest/globals';
import { SignJWT } from 'jose';

export const ISSUER = 'https://shareduks.uks.attest.azure.net';
export const MRENCLAVE = 'ab'.repeat(32);
export const OAEP_HASHES = {
  CKM_RSA_AES_KEY_WRAP: 'sha1',
  RSA_AES_KEY_WRAP_256: 'sha256',
  RSA_AES_KEY_WRAP_384: 'sha384',
} as const;
export type Wrapping = keyof typeof OAEP_HASHES;

export const POLICY = {
  version: '1.0.0',
  anyOf: [
    {
      authority: ISSUER,
      allOf: [
        { claim: 'x-ms-sgx-mrenclave', equals: MRENCLAVE },
        { claim: 'x-ms-sgx-is-debuggable', equals: 'false' },
        { claim: 'x-ms-sgx-svn', greaterOrEquals: 3 },
      ],
    },
  ],
};

/** An attestation service like Microsoft's, and the attested party whose key it vouches for. */
export class AttestationService {
  readonly signer = generateKeyPairSync('rsa', { modulusLength: 2048 });
  readonly stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });
  readonly party = generateKeyPairSync('rsa', { modulusLength: 3072 });
  readonly partyJwk = { ...this.party.publicKey.export({ format: 'jwk' }), kid: 'kek-1' };

  jwks() {
    return { keys: [{ ...this.signer.publicKey.export({ format: 'jwk' }), kid: 'maa-1' }] };
  }

  claims(change: Record<string, unknown> = {}): Record<string, unknown> {
    return {
      jti: 'f0'.repeat(32),
      'x-ms-ver': '1.0',
      'x-ms-attestation-type': 'sgx',
      'x-ms-sgx-mrenclave': MRENCLAVE,
      'x-ms-sgx-mrsigner': 'cd'.repeat(32),
      'x-ms-sgx-is-debuggable': false,
      'x-ms-sgx-product-id': 1,
      'x-ms-sgx-svn': 4,
      'x-ms-runtime': { keys: [{ ...this.partyJwk, key_use: 'enc' }] },
      ...change,
    };
  }

  token(
    change: Record<string, unknown> = {},
    options: { header?: Record<string, unknown>; key?: KeyObject; age?: number; lifetime?: number } = {},
  ): Promise<string> {
    const { age = 1, lifetime = 28_800 } = options;
    const iat = Math.floor(Date.now() / 1_000) - age;
    const times = { iss: ISSUER, iat, nbf: iat, exp: iat + lifetime };
    return new SignJWT({ ...times, ...this.claims(change) })
      .setProtectedHeader({
        alg: 'RS256',
        kid: 'maa-1',
        typ: 'JWT',
        jku: `${ISSUER}/certs`,
        ...options.header,
      })
      .sign(options.key ?? this.signer.privateKey);
  }

  /** What a client does with an answer, by the standards alone: chain, signature, OAEP, AES-KWP. */
  open(jws: string, rootPem: string, host: string, wrapping: Wrapping) {
    const [head = '', body = '', signature = ''] = jws.split('.');
    const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as { alg: string; x5c: string[] };
    const chain = header.x5c.map(
      (der) => new X509Certificate(`-----BEGIN CERTIFICATE-----\n${der}\n-----END CERTIFICATE-----`),
    );
    const [leaf, ...issuers] = chain as [X509Certificate, ...X509Certificate[]];
    for (const [at, certificate] of chain.entries())
      expect(certificate.verify((issuers[at] ?? new X509Certificate(rootPem)).publicKey)).toBe(true);
    expect(leaf.checkHost(host)).toBe(host);
    expect(header.alg).toBe('RS256');
    const good = createVerify('sha256')
      .update(`${head}.${body}`)
      .verify(leaf.publicKey, Buffer.from(signature, 'base64url'));
    expect(good).toBe(true);
    const payload = JSON.parse(Buffer.from(body, 'base64url').toString()) as ReleasePayload;
    const keyHsm = JSON.parse(
      Buffer.from(payload.response.key.key['key_hsm'] as string, 'base64url').toString(),
    ) as { schema_version: string; header: Record<string, string>; ciphertext: string };
    expect(keyHsm.schema_version).toBe('1.0');
    expect(keyHsm.header).toEqual({ kid: 'kek-1', alg: 'dir', enc: 'CKM_RSA_AES_KEY_WRAP' });
    const ciphertext = Buffer.from(keyHsm.ciphertext, 'base64url');
    const aes = privateDecrypt(
      {
        key: this.party.privateKey,
        padding: constants.RSA_PKCS1_OAEP_PADDING,
        oaepHash: OAEP_HASHES[wrapping],
      },
      ciphertext.subarray(0, 384),
    );
    return { material: unwrapWithPadding(aes, ciphertext.subarray(384)), payload, header };
  }
}

export interface ReleasePayload {
  readonly request: Record<string, string>;
  readonly response: {
    readonly key: {
      readonly key: Record<string, unknown>;
      readonly attributes: Record<string, unknown>;
      readonly release_policy: { readonly contentType: string; readonly data: string };
    };
  };
}

/** AES key unwrap with padding, from the text of RFC 5649 §4.2 on single AES blocks. */
export function unwrapWithPadding(kek: Buffer, wrapped: Buffer): Buffer {
  const decrypt = (block: Buffer): Buffer => {
    const decipher = createDecipheriv('aes-256-ecb', kek, null).setAutoPadding(false);
    return Buffer.concat([decipher.update(block), decipher.final()]);
  };
  const blocks = wrapped.length / 8 - 1;
  let integrity: Buffer;
  let plain: Buffer;
  if (blocks === 1) {
    const block = decrypt(wrapped);
    [integrity, plain] = [block.subarray(0, 8), block.subarray(8)];
  } else {
    integrity = Buffer.from(wrapped.subarray(0, 8));
    const registers = Array.from({ length: blocks }, (_, at) => wrapped.subarray(8 + 8 * at, 16 + 8 * at));
    for (let round = 5; round >= 0; round--) {
      for (let at = blocks - 1; at >= 0; at--) {
        const counter = Buffer.alloc(8);
        counter.writeBigUInt64BE(BigInt(blocks * round + at + 1));
        const mixed = Buffer.from(integrity.map((byte, index) => byte ^ counter[index]!));
        const block = decrypt(Buffer.concat([mixed, registers[at]!]));
        integrity = block.subarray(0, 8);
        registers[at] = block.subarray(8);
      }
    }
    plain = Buffer.concat(registers);
  }
  if (integrity.readUInt32BE(0) !== 0xa65959a6) throw new Error('the integrity check failed');
  const length = integrity.readUInt32BE(4);
  const padding = plain.subarray(length);
  if (padding.length > 7 || padding.some((byte) => byte !== 0)) throw new Error('the padding is wrong');
  return plain.subarray(0, length);
}
