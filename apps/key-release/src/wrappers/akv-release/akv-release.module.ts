import { Module } from '@nestjs/common';
import { AkvReleaseController } from './akv-release.controller.js';
import { AuthenticationChallenge } from './challenge.js';
import { KeyDirectory } from './key-directory.js';
import { KeyReleaseService } from './key-release.service.js';
import { ReleaseSigner } from './release-signer.js';

/** Secure Key Release as clients of Azure Key Vault know it. */
@Module({
  controllers: [AkvReleaseController],
  providers: [AuthenticationChallenge, KeyDirectory, KeyReleaseService, ReleaseSigner],
})
export class AkvReleaseModule {}
