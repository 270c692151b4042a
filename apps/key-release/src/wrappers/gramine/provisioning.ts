import { SiegelError } from '#contracts';
import { type PublicKey, ReplayCache } from '#pki';
import { Injectable } from '@nestjs/common';
import { EarlyRefusals, refusal } from '../../pipeline/early-refusals.js';
import { ReleasePipeline } from '../../pipeline/release-pipeline.js';
import type { Addressee } from '../../tenants/addressee.js';
import { attestationInput, raTlsPeer } from '../../tls/ra-tls-peer.js';
import { SecretCarrier } from './secret-carrier.js';
import { answerWith, REQUEST } from './wire-format.js';

export const GRAMINE_PROTOCOL = 'gramine';

/** A client library makes a new key for every run, so that a key that comes again is somebody's copy. */
const REMEMBERED_MS = 24 * 3_600_000;
const MAX_REMEMBERED = 200_000;

/** Turns one authenticated connection's certificate and request into the answer, by way of the release pipeline. */
@Injectable()
export class Provisioning {
  private readonly served = new ReplayCache({ maxEntries: MAX_REMEMBERED });
  private readonly refusals: EarlyRefusals;

  constructor(private readonly pipeline: ReleasePipeline) {
    this.refusals = new EarlyRefusals(pipeline, GRAMINE_PROTOCOL);
  }

  /**
   * @param certificate DER of the client's certificate, whose key the TLS handshake has proven
   * @throws SiegelError; a refusal is in the log by then
   */
  async answer(to: Addressee, certificate: Buffer | undefined, request: Buffer): Promise<Buffer> {
    const peer = await this.refusals.around(to.tenant, () => {
      if (certificate !== undefined && !request.equals(REQUEST)) {
        const message = 'not the request of Secret Provisioning, version 1';
        throw refusal('REQUEST_MALFORMED', 'GRAMINE_REQUEST_UNKNOWN', message);
      }
      return raTlsPeer(certificate);
    });
    const carrier = new SecretCarrier(() => this.claim(peer.key));
    await this.pipeline.attest({ ...attestationInput(peer), ...to, protocol: GRAMINE_PROTOCOL, carrier });
    return answerWith(carrier.message);
  }

  private claim(key: PublicKey): void {
    const now = new Date();
    const verdict = this.served.claim(key.thumbprint, new Date(now.getTime() + REMEMBERED_MS), now);
    if (verdict === 'fresh') return;
    if (verdict === 'full') throw new SiegelError('OVERLOADED');
    const message = 'this key has had its secret; the client makes a new one each time';
    throw refusal('EVIDENCE_REPLAYED', 'KEY_SERVED_BEFORE', message);
  }
}
