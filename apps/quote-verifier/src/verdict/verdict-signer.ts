import { VERDICT_TYP, type VerdictClaims } from '#contracts';
import type { LocalSigner } from '#pki';

/**
 * Signs verdicts as compact JWS (RFC 7515 §3.1), ES256. The header never changes, so that a verdict costs its JSON and one
 * signature, and it is made without leaving the call: a verdict per request is the service's hot path.
 */
export class VerdictSigner {
  private readonly header: string;

  constructor(private readonly key: LocalSigner) {
    const header = { alg: key.alg, typ: VERDICT_TYP, kid: key.kid };
    this.header = `${Buffer.from(JSON.stringify(header)).toString('base64url')}.`;
  }

  sign(claims: VerdictClaims): string {
    const input = this.header + Buffer.from(JSON.stringify(claims)).toString('base64url');
    return `${input}.${this.key.sign(Buffer.from(input, 'latin1')).toString('base64url')}`;
  }
}
