import { Global, Module } from '@nestjs/common';
import { ManifestController } from './manifest.controller.js';
import { ManifestStore } from './manifest-store.js';

@Global()
@Module({ controllers: [ManifestController], providers: [ManifestStore], exports: [ManifestStore] })
export class ManifestsModule {}
