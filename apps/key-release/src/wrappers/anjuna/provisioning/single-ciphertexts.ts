import { type ReleasePayload, SiegelError } from '#contracts';
import type { PublicKey } from '#pki';
import type { Grants } from '#policy';
import { constants, publicEncrypt } from 'node:crypto';
import type { Carrier } from '../../../pipeline/interface.js';

/** What RSAES-OAEP with SHA-256 takes of the modulus: two hashes and two octets (RFC 8017 §7.1.1). */
const OAEP_SHA256_OVERHEAD = 66;

/** Carries every value in an RSA ciphertext of its own: each must fit into one. */
export class SingleCiphertexts implements Carrier {
  private readonly most: number;

  constructor(private readonly key: PublicKey) {
    const { modulusLength = 0 } = key.keyObject.asymmetricKeyDetails ?? {};
    this.most = Math.floor(modulusLength / 8) - OAEP_SHA256_OVERHEAD;
  }

  /** A command line is one text of several values, which no single ciphertext holds. */
  select({ argv: _argv, ...grants }: Grants): Grants {
    return { ...grants, secrets: grants.secrets.filter(({ as }) => as !== 'argv') };
  }

  /** @throws SiegelError SECRET_UNUSABLE for what is too large */
  accept({ env, files }: ReleasePayload): void {
    for (const [name, value] of Object.entries(env)) this.mustFit(name, Buffer.byteLength(value));
    for (const { path, content } of files) this.mustFit(path, Buffer.byteLength(content, 'base64'));
  }

  /** base64 of the ciphertext. */
  seal(value: Buffer): string {
    try {
      const options = {
        key: this.key.keyObject,
        padding: constants.RSA_PKCS1_OAEP_PADDING,
        oaepHash: 'sha256',
      };
      return publicEncrypt(options, value).toString('base64');
    } finally {
      value.fill(0);
    }
  }

  private mustFit(name: string, bytes: number): void {
    if (bytes <= this.most) return;
    throw new SiegelError('SECRET_UNUSABLE', {
      reason: {
        code: 'ANJUNA_SECRET_TOO_LONG',
        message: `${name} has ${bytes} bytes, the provisioning key takes ${this.most}; ask for the form "jwe"`,
      },
    });
  }
}
