import { SiegelError, type VerdictClaims } from '#contracts';
import { hash } from 'node:crypto';
import { CoordinatorError } from '../coordinator-error.js';
import { signWithRoot } from '../state/authority.js';
import type { Coordinator } from '../state/coordinator.js';

/** Asks for the verdict about a quote. */
export type QuoteVerification = (input: {
  readonly tenant: string;
  readonly format: 'auto';
  readonly evidence: Uint8Array;
}) => Promise<VerdictClaims>;

/** Anybody may ask, so that what is under way is bounded. */
const MAX_IN_FLIGHT = 64;

/** Verifies anybody's quote and signs with the root what its TCB status is. */
export class QuoteSigner {
  private inFlight = 0;

  constructor(private readonly verify: QuoteVerification) {}

  /**
   * The signature is ECDSA over the SHA-256 of the base64 of the quote as it was sent, followed by the status (reference §3).
   * @throws CoordinatorError QUOTE_REFUSED; SiegelError where no verifier answers
   */
  async sign(coordinator: Coordinator, quote: Buffer) {
    const { settings, authority } = coordinator;
    if (quote.length === 0) throw refused('empty report');
    const { verified, claims, error } = await this.verdict(settings.tenant, quote);
    if (!verified || !claims) throw refused(error ? `${error.code}: ${error.message}` : 'not verified');
    const { tcbStatus, mrenclave, mrsigner, simulated } = claims;
    await coordinator.log([
      {
        tenant: settings.tenant,
        type: 'coordinator.quote-signed',
        outcome: 'ok',
        tcbStatus,
        ...(mrenclave === undefined ? {} : { mrenclave }),
        ...(mrsigner === undefined ? {} : { mrsigner }),
        ...(simulated ? { simulated } : {}),
        data: { deployment: settings.name, quoteSha256: hash('sha256', quote, 'hex') },
      },
    ]);
    const signed = Buffer.from(quote.toString('base64') + tcbStatus, 'latin1');
    return { tcbStatus, verificationSignature: signWithRoot(authority, signed) };
  }

  private async verdict(tenant: string, evidence: Buffer): Promise<VerdictClaims> {
    if (this.inFlight >= MAX_IN_FLIGHT) throw new SiegelError('OVERLOADED');
    this.inFlight++;
    try {
      return await this.verify({ tenant, format: 'auto', evidence });
    } finally {
      this.inFlight--;
    }
  }
}

const refused = (why: string): CoordinatorError =>
  new CoordinatorError('QUOTE_REFUSED', 'quote verification failed', {
    data: { sgxQuote: `quote verification failed: ${why}` },
  });
