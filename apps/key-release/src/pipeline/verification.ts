import {
  MAX_EVIDENCE_BYTES,
  SiegelError,
  SUBJECTS,
  VERDICT_TYP,
  VerdictClaims,
  VerifyReply,
} from '#contracts';
import { verifyJws } from '#pki';
import { NatsRequestError, NatsRequests, TRUST, type Trust } from '#platform';
import { Inject, Injectable } from '@nestjs/common';
import { hash, randomUUID } from 'node:crypto';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../environment.js';
import type { AttestationInput } from './interface.js';

const MAX_VERDICT_BYTES = 16 * 1024;
const CLOCK_SKEW_SECONDS = 30;

/**
 * Asks a quote-verifier and believes only a verdict that is signed by a trusted verifier, answers this very request, is for exactly
 * this evidence, and comes from the kind of root that this deployment pins. NATS itself is not trusted.
 */
@Injectable()
export class VerificationClient {
  constructor(
    private readonly requests: NatsRequests,
    @Inject(TRUST) private readonly trust: Trust,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {}

  /** @throws SiegelError EVIDENCE_EMPTY, EVIDENCE_TOO_LARGE; everything else that it throws is an outage */
  async verify(input: Pick<AttestationInput, 'tenant' | 'format' | 'evidence'>): Promise<VerdictClaims> {
    // The verifier's refusals of a request are unsigned and decide nothing; what it would refuse is decided here.
    if (input.evidence.length === 0) throw new SiegelError('EVIDENCE_EMPTY');
    if (input.evidence.length > MAX_EVIDENCE_BYTES) throw new SiegelError('EVIDENCE_TOO_LARGE');
    const requestId = randomUUID();
    const evidence = Buffer.from(input.evidence.buffer, input.evidence.byteOffset, input.evidence.length);
    const request = `{"v":1,"requestId":"${requestId}","tenant":"${input.tenant}","format":"${input.format}","evidence":"${evidence.toString('base64url')}"}`;
    let reply: Uint8Array;
    try {
      reply = await this.requests.request(
        SUBJECTS.verify,
        request,
        this.environment.SIEGEL_VERIFY_TIMEOUT_MS,
      );
    } catch (error) {
      if (error instanceof NatsRequestError) {
        throw new SiegelError('VERIFIER_UNAVAILABLE', {
          reason: { code: error.kind, message: error.message },
          cause: error,
        });
      }
      throw unsigned(error);
    }
    const verdict = await this.open(reply);
    if (verdict.rid !== requestId || verdict.tenant !== input.tenant) {
      throw invalid('VERDICT_FOREIGN', 'the verdict answers another request');
    }
    if (verdict.evidence.sha256 !== hash('sha256', evidence, 'hex')) {
      throw invalid('VERDICT_FOREIGN', 'the verdict is for other evidence');
    }
    if (verdict.verified && !verdict.claims)
      throw invalid('VERDICT_MALFORMED', 'a positive verdict without claims');
    if (verdict.claims?.simulated && !this.environment.SIEGEL_SIMULATION) {
      throw invalid(
        'SIMULATION_NOT_ALLOWED',
        'simulated evidence in a deployment that does not pin a simulated root',
      );
    }
    return verdict;
  }

  private async open(reply: Uint8Array): Promise<VerdictClaims> {
    let verdict: VerdictClaims;
    try {
      const jws = VerifyReply.parse(JSON.parse(Buffer.from(reply).toString('utf8'))).verdict;
      const { payload } = await verifyJws(jws, {
        keys: this.keys,
        typ: VERDICT_TYP,
        maxBytes: MAX_VERDICT_BYTES,
      });
      verdict = VerdictClaims.parse(JSON.parse(payload.toString('utf8')));
    } catch (error) {
      throw invalid('VERDICT_NOT_AUTHENTIC', (error as Error).message.slice(0, 300));
    }
    const now = Date.now() / 1000;
    if (!(verdict.iat - CLOCK_SKEW_SECONDS <= now && now < verdict.exp + CLOCK_SKEW_SECONDS)) {
      throw invalid(
        'VERDICT_EXPIRED',
        'the verdict is not of this minute; compare the clocks of the services',
      );
    }
    return verdict;
  }

  private readonly keys = (kid: string | undefined) => {
    const key = kid === undefined ? undefined : this.trust.verifiers.get(kid);
    return key && { alg: 'ES256' as const, key };
  };
}

const invalid = (code: string, message: string): SiegelError =>
  new SiegelError('VERDICT_INVALID', { reason: { code, message } });

/** A refusal in the headers of a reply is the broker's word: it may say that nothing was decided, and nothing else. */
function unsigned(error: unknown): unknown {
  if (!(error instanceof SiegelError) || error.entry.http >= 500) return error;
  return invalid('VERDICT_UNSIGNED', `${error.code}, which no verifier signed`);
}
