import { SiegelError } from '#contracts';
import { EvidenceError, parseRaTlsCertificate, type RaTlsEvidence } from '#evidence';
import { PkiError, PublicKey, ReplayCache } from '#pki';
import { Injectable } from '@nestjs/common';
import { ReleasePipeline } from '../../pipeline/release-pipeline.js';
import type { Addressee } from './addressee.js';
import { RefusalAllowance } from './refusal-allowance.js';
import { SecretCarrier } from './secret-carrier.js';
import { answerWith, REQUEST } from './wire-format.js';

export const GRAMINE_PROTOCOL = 'gramine';

const LOGGED_PER_SECOND = 100;
/** A client library makes a new key for every run, so that a key that comes again is somebody's copy. */
const REMEMBERED_MS = 24 * 3_600_000;
const MAX_REMEMBERED = 200_000;

/** Turns one authenticated connection's certificate and request into the answer, by way of the release pipeline. */
@Injectable()
export class Provisioning {
  private readonly served = new ReplayCache({ maxEntries: MAX_REMEMBERED });
  private readonly allowance = new RefusalAllowance(LOGGED_PER_SECOND);

  constructor(private readonly pipeline: ReleasePipeline) {}

  /**
   * @param certificate DER of the client's certificate, whose key the TLS handshake has proven
   * @throws SiegelError; a refusal is in the log by then
   */
  async answer(to: Addressee, certificate: Buffer | undefined, request: Buffer): Promise<Buffer> {
    const { evidence, key } = await this.examined(to, certificate, request);
    const carrier = new SecretCarrier(() => this.claim(key));
    await this.pipeline.attest({
      tenant: to.tenant,
      protocol: GRAMINE_PROTOCOL,
      evidence: evidence.quote,
      format: 'dcap',
      binding: {
        convention: evidence.convention,
        key,
        ...(evidence.claims ? { claims: evidence.claims } : {}),
      },
      customClaims: Object.fromEntries(
        [...evidence.customClaims].map(([name, value]) => [name, value.toString('hex')]),
      ),
      ...(to.workloadHint === undefined ? {} : { workloadHint: to.workloadHint }),
      carrier,
    });
    return answerWith(carrier.message);
  }

  private async examined(to: Addressee, certificate: Buffer | undefined, request: Buffer) {
    try {
      if (certificate === undefined)
        throw malformed('CERTIFICATE_MISSING', 'the client presented no certificate');
      if (!request.equals(REQUEST))
        throw new SiegelError('REQUEST_MALFORMED', {
          reason: {
            code: 'GRAMINE_REQUEST_UNKNOWN',
            message: 'not the request of Secret Provisioning, version 1',
          },
        });
      const evidence = readEvidence(certificate);
      return { evidence, key: keyOf(evidence) };
    } catch (error) {
      if (error instanceof SiegelError && this.allowance.take())
        await this.pipeline.recordMalformed(to.tenant, GRAMINE_PROTOCOL, error);
      throw error;
    }
  }

  private claim(key: PublicKey): void {
    const now = new Date();
    const verdict = this.served.claim(key.thumbprint, new Date(now.getTime() + REMEMBERED_MS), now);
    if (verdict === 'fresh') return;
    if (verdict === 'full') throw new SiegelError('OVERLOADED');
    throw new SiegelError('EVIDENCE_REPLAYED', {
      reason: {
        code: 'KEY_SERVED_BEFORE',
        message: 'this key has had its secret; the client makes a new one each time',
      },
    });
  }
}

function readEvidence(certificate: Buffer): RaTlsEvidence {
  try {
    return parseRaTlsCertificate(certificate);
  } catch (error) {
    if (error instanceof EvidenceError) throw malformed(error.code, error.message, error);
    throw error;
  }
}

function keyOf({ publicKeySpki }: RaTlsEvidence): PublicKey {
  try {
    return PublicKey.fromSpki(publicKeySpki);
  } catch (error) {
    if (!(error instanceof PkiError)) throw error;
    throw new SiegelError('PUBLIC_KEY_INVALID', {
      reason: { code: error.code, message: error.message },
      cause: error,
    });
  }
}

const malformed = (code: string, message: string, cause?: unknown): SiegelError =>
  new SiegelError('EVIDENCE_MALFORMED', { reason: { code, message: message.slice(0, 1_000) }, cause });
