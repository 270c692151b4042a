import { Module } from '@nestjs/common';
import { ChallengeController } from '../challenge/challenge.controller.js';
import { DiscoveryController } from '../discovery/discovery.controller.js';
import { ReleaseController } from '../release/release.controller.js';
import { AttestController } from './attest.controller.js';
import { RefusalFilter } from './refusal-filter.js';

/** The native protocol. */
@Module({
  controllers: [AttestController, ChallengeController, ReleaseController, DiscoveryController],
  providers: [RefusalFilter],
})
export class NativeModule {}
