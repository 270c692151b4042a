import { Global, Module } from '@nestjs/common';
import { ChangeHints } from './change-hints.js';
import { EventGridController } from './event-grid.controller.js';
import { HookGuard } from './hook.guard.js';
import { ObjectWatch } from './object-watch.js';
import { RotationWatch } from './rotation-watch.js';

/** What changes in the vaults reaches this service here. */
@Global()
@Module({
  controllers: [EventGridController],
  providers: [ChangeHints, HookGuard, ObjectWatch, RotationWatch],
  exports: [ObjectWatch, RotationWatch],
})
export class RotationModule {}
