import { Module } from '@nestjs/common';
import { ResourceAdministration } from './admin/resource-administration.js';
import { AttestationService } from './attest/attestation.service.js';
import { KbsEndpoints } from './http/kbs-endpoints.js';
import { KbsListener } from './http/kbs-listener.js';
import { ResourceService } from './resource/resource.service.js';
import { RefusalLog } from './session/refusal-log.js';
import { EarTokens } from './token/ear-tokens.js';

/** Trustee's KBS protocol; off unless it has a port. */
@Module({
  providers: [
    AttestationService,
    EarTokens,
    KbsEndpoints,
    KbsListener,
    RefusalLog,
    ResourceAdministration,
    ResourceService,
  ],
})
export class TrusteeModule {}
