import { Module } from '@nestjs/common';

/**
 * MarbleRun's coordinator: its REST API for operators and its gRPC for marbles, one deployment per host name. Off unless configured.
 * Each half adds its providers here: manifest, state, users, updates, recovery and REST; activation with templates and secrets.
 */
@Module({ providers: [], controllers: [] })
export class MarbleRunModule {}
