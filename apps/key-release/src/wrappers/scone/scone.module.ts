import { Module } from '@nestjs/common';
import { AttestService } from './attest/attest.service.js';
import { FirstUses } from './attest/once.js';
import { SharedSecrets } from './attest/shared-secrets.js';
import { VaultSecrets } from './attest/vault-secrets.js';
import { SessionIdentities } from './azure/session-identities.js';
import { SconeEndpoints } from './http/endpoints.js';
import { SconeListener } from './http/scone-listener.js';
import { Refusals } from './session/refusals.js';
import { SessionService } from './session/session.service.js';

/** Sessions of SCONE's language, by the REST API of a CAS; off unless it has a port. */
@Module({
  providers: [
    AttestService,
    FirstUses,
    Refusals,
    SconeEndpoints,
    SconeListener,
    SessionService,
    SessionIdentities,
    SharedSecrets,
    VaultSecrets,
  ],
})
export class SconeModule {}
