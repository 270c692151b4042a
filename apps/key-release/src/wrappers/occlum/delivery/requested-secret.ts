import { type ReleasePayload, SiegelError } from '#contracts';
import type { Grants, OcclumAnswerGrant, OcclumProtocol } from '#policy';
import { refusal } from '../../../pipeline/early-refusals.js';
import type { Carrier } from '../../../pipeline/interface.js';
import { secretValue } from './secret-value.js';

/** What a client asks for. */
export interface Asked {
  readonly protocol: OcclumProtocol;
  readonly name: string;
  /** AECS alone has services. */
  readonly service?: string;
}

/** One request's look at the grant: the one secret that answers it, in the shape in which it goes out. */
export class RequestedSecret<T> implements Carrier {
  #answer: OcclumAnswerGrant | undefined;
  #reply: T | undefined;

  /**
   * @param gone aborted where nobody waits for the answer any more: then nothing is decided
   * @param firstUse throws SiegelError where this request was answered before; asked once everything else holds
   * @param prepare makes the reply of the protocol. @throws SiegelError where it cannot carry this value
   */
  constructor(
    private readonly asked: Asked,
    private readonly gone: AbortSignal,
    private readonly firstUse: () => void,
    private readonly prepare: (value: Buffer, answer: OcclumAnswerGrant) => T,
  ) {}

  select(grants: Grants): Grants {
    const { occlum } = grants;
    const { protocol, name, service } = this.asked;
    if (!occlum) {
      const message = 'the manifest does not say what this workload may ask for; give it an "occlum" section';
      throw refusal('RELEASE_DENIED', 'OCCLUM_NOT_GRANTED', message);
    }
    if (!occlum.protocols.includes(protocol)) {
      const message = `the manifest lets this workload come by ${occlum.protocols.join(', ')}, not by ${protocol}`;
      throw refusal('RELEASE_DENIED', 'OCCLUM_PROTOCOL_NOT_GRANTED', message);
    }
    const answer = occlum.answers.find(
      (each) => each.name === name && (each.service === undefined || each.service === service),
    );
    if (!answer) {
      const asked = service === undefined ? '' : ` of service ${JSON.stringify(service)}`;
      const known = occlum.answers.map((each) => each.name).join(', ');
      const message = `${JSON.stringify(name)}${asked} is nothing that this workload may ask for; it may: ${known}`;
      throw refusal('RELEASE_DENIED', 'OCCLUM_NAME_UNKNOWN', message);
    }
    // No denial, and not in the log: the client has given up and comes again with another quote.
    if (this.gone.aborted) throw new SiegelError('OVERLOADED');
    this.firstUse();
    this.#answer = answer;
    // The client's key lives in its library: a certificate for it would be of no use to the application.
    const { certificate: _certificate, argv: _argv, ...rest } = grants;
    return { ...rest, env: {}, secrets: [answer.secret] };
  }

  accept(payload: ReleasePayload): void {
    if (!this.#answer) throw new SiegelError('INTERNAL');
    this.#reply = this.prepare(secretValue(payload, this.#answer), this.#answer);
  }

  /** What goes out; there once the pipeline has granted. */
  get reply(): T {
    if (this.#reply === undefined) throw new SiegelError('INTERNAL');
    return this.#reply;
  }
}
