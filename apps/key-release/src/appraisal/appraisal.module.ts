import { TRUST, type Trust } from '#platform';
import { LocalSigner } from '#pki';
import { Global, Module } from '@nestjs/common';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../environment.js';
import { AppraisalMetrics } from './appraisal-metrics.js';
import { DegradedSessions } from './degraded-sessions.js';
import { PlatformRegistry } from './platform-registry.js';
import { Reappraisal } from './reappraisal.js';
import { RevokedSessions } from './revoked-sessions.js';
import { SessionBucket } from './session-bucket.js';
import { SessionRecords } from './session-records.js';
import { SessionStandings } from './session-standing.js';
import { SessionsController } from './sessions.controller.js';

/** Sessions after their attestation: whether their platform still holds, and who was revoked. */
@Global()
@Module({
  controllers: [SessionsController],
  providers: [
    {
      provide: SessionRecords,
      inject: [KEY_RELEASE_ENVIRONMENT, TRUST],
      useFactory: async (environment: KeyReleaseEnvironment, trust: Trust) =>
        new SessionRecords(
          await LocalSigner.fromFile(environment.SIEGEL_MANIFEST_KEY_FILE),
          trust.manifestSigners,
        ),
    },
    AppraisalMetrics,
    SessionBucket,
    PlatformRegistry,
    RevokedSessions,
    SessionStandings,
    DegradedSessions,
    Reappraisal,
  ],
  exports: [PlatformRegistry, SessionStandings],
})
export class AppraisalModule {}
