import { Global, Module } from '@nestjs/common';
import { Access, accessSettings } from './access.js';
import { AccessGuard } from './access.guard.js';

/** Who may use the HTTP API, and for what. */
@Global()
@Module({
  providers: [accessSettings, Access, AccessGuard],
  exports: [Access, AccessGuard],
})
export class AccessModule {}
