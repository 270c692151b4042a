import type { FortanixIssueResponse } from '#contracts';
import { SiegelError } from '#contracts';
import { Inject, Injectable } from '@nestjs/common';
import { hash, randomUUID, X509Certificate } from 'node:crypto';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../../environment.js';
import type { Granted } from '../../../pipeline/interface.js';
import { ReleasePipeline } from '../../../pipeline/release-pipeline.js';
import { Enrolments } from '../enrolment/enrolments.js';
import { CONFIG_CLAIM, FORTANIX_PROTOCOL } from '../protocol.js';
import { CertificateCarrier } from './certificate-carrier.js';
import { readCertificateRequest } from './certificate-request.js';

/** Certificates for enclaves of em-app: the quote of CSR 2 through the pipeline, and what was granted remembered by the certificate. */
@Injectable()
export class CertificateIssue {
  constructor(
    private readonly pipeline: ReleasePipeline,
    private readonly enrolments: Enrolments,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {}

  /** A denial is an answer. @throws SiegelError for a request that cannot be read, and where nothing could be decided */
  async issue(tenant: string, csr: string): Promise<FortanixIssueResponse> {
    const request = readCertificateRequest(csr);
    const task_id = randomUUID();
    const { key, quote, configId } = request;
    let granted: Granted;
    try {
      granted = await this.pipeline.attest({
        tenant,
        protocol: FORTANIX_PROTOCOL,
        evidence: quote,
        format: 'dcap',
        binding: { convention: 'fortanix-config', key, configId },
        ...(configId ? { customClaims: { [CONFIG_CLAIM]: configId.toString('hex') } } : {}),
        carrier: new CertificateCarrier(request, this.environment.SIEGEL_FORTANIX_CERTIFICATE_SECONDS),
      });
    } catch (error) {
      if (!(error instanceof SiegelError) || !this.pipeline.isRecorded(error)) throw error;
      // A name can be added to the manifest while the enclave waits; nothing else of a denial changes by waiting.
      const open = error.code === 'NAME_NOT_ALLOWED';
      return { task_id, task_status: open ? 'PENDING_WHITELIST' : 'DENIED', code: error.code };
    }
    const { certificate } = granted.payload;
    if (!certificate) throw new SiegelError('INTERNAL');
    const { raw, validToDate } = new X509Certificate(certificate.chainPem);
    await this.enrolments.remember(hash('sha256', raw, 'hex'), {
      tenant,
      token: granted.token,
      key,
      ends: validToDate < granted.sessionEndsAt ? validToDate : granted.sessionEndsAt,
      configId,
    });
    return { task_id, task_status: 'SUCCESS', certificate: certificate.chainPem };
  }
}
