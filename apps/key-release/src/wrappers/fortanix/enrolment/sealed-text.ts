import { ConfigurationError } from '#platform';
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';

/**
 * Texts that come back to us through hands that are not trusted: base64url and an HMAC-SHA256 under keys that all replicas share, derived
 * from the challenge keys (RFC 5869). The first key seals, all open.
 */
export class SealedTexts {
  private constructor(private readonly keys: readonly Buffer[]) {}

  /** @param path of SIEGEL_CHALLENGE_KEY_FILE: a base64 key per line. @param purpose keeps the texts of one use out of another */
  static fromFile(path: string, purpose: string): SealedTexts {
    const keys = readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => Buffer.from(line.trim(), 'base64'));
    if (keys.length === 0)
      throw new ConfigurationError([{ variable: 'SIEGEL_CHALLENGE_KEY_FILE', message: 'holds no key' }]);
    return SealedTexts.under(keys, purpose);
  }

  static under(keys: readonly Uint8Array[], purpose: string): SealedTexts {
    const info = `siegel fortanix ${purpose}`;
    return new SealedTexts(keys.map((key) => Buffer.from(hkdfSync('sha256', key, '', info, 32))));
  }

  seal(text: string): string {
    const body = Buffer.from(text, 'utf8').toString('base64url');
    return `${body}.${mac(this.keys[0]!, body).toString('base64url')}`;
  }

  /** Undefined where it was not sealed here. */
  open(sealed: string): string | undefined {
    const [body = '', tag = '', ...more] = sealed.split('.');
    const given = Buffer.from(tag, 'base64url');
    const ours = this.keys.some((key) => {
      const expected = mac(key, body);
      return given.length === expected.length && timingSafeEqual(given, expected);
    });
    return ours && more.length === 0 ? Buffer.from(body, 'base64url').toString('utf8') : undefined;
  }
}

const mac = (key: Buffer, body: string): Buffer => createHmac('sha256', key).update(body).digest();
