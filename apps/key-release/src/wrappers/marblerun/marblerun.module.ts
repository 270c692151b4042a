import { Module } from '@nestjs/common';
import { ActivationListener } from './activation/activation-listener.js';
import { Activation } from './activation/activation.js';
import { MarbleSecrets } from './generation/secret-works.js';
import { SECRET_WORKS } from './interface.js';

/**
 * MarbleRun's coordinator: its REST API for operators and its gRPC for marbles, one deployment per host name. Off unless configured.
 * Each half adds its providers here: manifest, state, users, updates, recovery and REST; activation with templates and secrets.
 */
@Module({
  providers: [
    MarbleSecrets,
    { provide: SECRET_WORKS, useExisting: MarbleSecrets },
    Activation,
    ActivationListener,
  ],
  controllers: [],
})
export class MarbleRunModule {}
