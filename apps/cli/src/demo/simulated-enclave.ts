import { AttestResponse, ReleasePayload, type ProblemDetails } from '#contracts';
import { expectedReportData } from '#evidence';
import { createDpopProof, openJwe, PublicKey } from '#pki';
import type { QuoteRequest, SimulatedPlatform } from '#simulator';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { HttpsJson, JsonAnswer } from './https-json.js';

export interface Boot {
  readonly response: AttestResponse;
  readonly payload: ReleasePayload;
}

/** The service refused; `problem` is what it said. */
export class Refused extends Error {
  override readonly name = 'Refused';
  constructor(
    readonly status: number,
    readonly problem: Partial<ProblemDetails>,
  ) {
    super(`${status} ${problem.code ?? ''}: ${problem.title ?? ''}`);
  }
}

/**
 * What a real enclave does at boot, in software: make a key, have the platform quote it, send both, open what comes back. The key
 * never leaves this object.
 */
export class SimulatedEnclave {
  readonly key: PublicKey;
  private readonly privateKey: KeyObject;

  constructor(
    private readonly platform: SimulatedPlatform,
    private readonly identity: QuoteRequest,
  ) {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.privateKey = privateKey;
    this.key = PublicKey.fromKeyObject(publicKey);
  }

  /** Evidence over this enclave's key, and a challenge where one is given. */
  quote(challenge?: string): Buffer {
    const nonce = challenge === undefined ? {} : { nonce: Buffer.from(challenge, 'base64url') };
    const reportData = expectedReportData('sha256-spki', { spki: this.key.spki, ...nonce });
    return this.platform.quote({ ...this.identity, reportData });
  }

  requestBody(options: { challenge?: string; workload?: string } = {}) {
    return {
      evidence: this.quote(options.challenge).toString('base64url'),
      publicKey: { jwk: this.key.jwk },
      binding: 'sha256-spki',
      ...options,
    };
  }

  /** @throws Refused */
  async attest(service: HttpsJson, options: { challenge?: string; workload?: string } = {}): Promise<Boot> {
    return this.open(await service.post('/v1/attest', this.requestBody(options)));
  }

  /** The release again with the token and proof of possession; no second quote. @throws Refused */
  async fetchAgain(service: HttpsJson, url: string, token: string): Promise<Boot> {
    return this.open(
      await service.call('GET', new URL(url).pathname, { headers: await this.authorization(url, token) }),
    );
  }

  /** Headers of a GET request that prove possession of this enclave's key; for one request. */
  async authorization(url: string, token: string): Promise<Record<string, string>> {
    const proof = await createDpopProof({
      privateKey: this.privateKey,
      method: 'GET',
      url,
      now: new Date(),
      accessToken: token,
    });
    return { authorization: `DPoP ${token}`, dpop: proof };
  }

  open({ status, body }: JsonAnswer): Boot {
    if (status !== 200) throw new Refused(status, (body ?? {}) as Partial<ProblemDetails>);
    const response = AttestResponse.parse(body);
    const { plaintext } = openJwe(response.release, this.privateKey);
    return { response, payload: ReleasePayload.parse(JSON.parse(plaintext.toString('utf8'))) };
  }
}
