import { Module } from '@nestjs/common';
import { LiveSessions } from './live-sessions.js';
import { SessionStreamController } from './session-stream.controller.js';

@Module({ controllers: [SessionStreamController], providers: [LiveSessions] })
export class StreamModule {}
