import { Module } from '@nestjs/common';
import { RaTlsController } from './ra-tls.controller.js';

/** Any client that presents its quote in its TLS certificate; off unless switched on. */
@Module({ controllers: [RaTlsController] })
export class RaTlsModule {}
