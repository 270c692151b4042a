import { SiegelError } from '#contracts';
import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { hash } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../../environment.js';
import { certificateOf } from '../../../tls/ra-tls-peer.js';
import { type Enrolment, Enrolments } from '../enrolment/enrolments.js';
import { requireFortanix } from '../protocol.js';

/**
 * Who calls: the enclave to which exactly this certificate was issued. The handshake has proven its key; no chain is asked for, since a
 * record of our own says more, and clients may send the leaf alone.
 */
@Injectable()
export class EnrolledClients {
  constructor(
    private readonly enrolments: Enrolments,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {}

  /** @throws SiegelError NOT_FOUND, CLIENT_CERTIFICATE_INVALID, STORE_UNAVAILABLE */
  async authenticate(request: FastifyRequest): Promise<Enrolment> {
    requireFortanix(this.environment);
    const certificate = certificateOf(request.raw.socket as TLSSocket);
    if (certificate === undefined)
      throw new SiegelError('CLIENT_CERTIFICATE_INVALID', {
        reason: { code: 'CERTIFICATE_MISSING', message: 'the client presented no certificate' },
      });
    return this.enrolments.find(hash('sha256', certificate, 'hex'), new Date());
  }
}
