import { Module } from '@nestjs/common';
import { Enrolments } from './enrolment/enrolments.js';
import { CertificateIssue } from './issue/certificate-issue.js';
import { CertificateController } from './issue/certificate.controller.js';
import { AppConfigController } from './runtime/app-config.controller.js';
import { EnrolledClients } from './runtime/enrolled-client.js';
import { SecretManagerController } from './runtime/secret-manager.controller.js';

/** Clients of Fortanix' em-app; off unless SIEGEL_FORTANIX says otherwise. */
@Module({
  controllers: [CertificateController, AppConfigController, SecretManagerController],
  providers: [CertificateIssue, Enrolments, EnrolledClients],
})
export class FortanixModule {}
