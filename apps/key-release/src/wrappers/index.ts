import type { Type } from '@nestjs/common';
import { NativeModule } from '../attest/native.module.js';
import { AkvReleaseModule } from './akv-release/akv-release.module.js';
import { AnjunaModule } from './anjuna/anjuna.module.js';
import { FortanixModule } from './fortanix/fortanix.module.js';
import { GramineModule } from './gramine/gramine.module.js';
import { MarbleRunModule } from './marblerun/marblerun.module.js';
import { OcclumModule } from './occlum/occlum.module.js';
import { RaTlsModule } from './ra-tls/ra-tls.module.js';
import { SconeModule } from './scone/scone.module.js';
import { TrusteeModule } from './trustee/trustee.module.js';

/** The protocols through which enclaves come: one module each, one folder each. A new wrapper is a new line here. */
export const WRAPPER_MODULES: readonly Type[] = [
  NativeModule,
  AkvReleaseModule,
  AnjunaModule,
  FortanixModule,
  GramineModule,
  MarbleRunModule,
  OcclumModule,
  RaTlsModule,
  SconeModule,
  TrusteeModule,
];
