import { Module } from '@nestjs/common';
import { AecsListener } from './aecs/aecs-listener.js';
import { RatlsListener } from './ratls/ratls-listener.js';

/** The two protocols of Occlum's init clients; each off unless it has a port. */
@Module({ providers: [AecsListener, RatlsListener] })
export class OcclumModule {}
