import { Global, Module } from '@nestjs/common';
import { SessionAuthentication } from '../session/session-authentication.js';
import { SessionTokens } from '../session/session-token.js';
import { CertificateIssuance } from './certificate-issuance.js';
import { EvidenceGate } from './evidence-gate.js';
import { ReleasePipeline } from './release-pipeline.js';
import { SecretCollector } from './secret-collection.js';
import { VerificationClient } from './verification.js';

/** The release pipeline; a wrapper's module needs nothing else of this service. */
@Global()
@Module({
  providers: [
    VerificationClient,
    SecretCollector,
    CertificateIssuance,
    SessionTokens,
    SessionAuthentication,
    ReleasePipeline,
    EvidenceGate,
  ],
  exports: [
    ReleasePipeline,
    EvidenceGate,
    SecretCollector,
    CertificateIssuance,
    SessionAuthentication,
    SessionTokens,
    VerificationClient,
  ],
})
export class PipelineModule {}
