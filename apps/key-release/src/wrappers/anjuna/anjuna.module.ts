import { Module } from '@nestjs/common';
import { ProvisioningController } from './provisioning/provisioning.controller.js';
import { LoginProofs } from './vault/login-proofs.js';
import { VaultController } from './vault/vault.controller.js';
import { VaultLanguage } from './vault/vault-language.js';
import { VaultSessions } from './vault/vault-sessions.js';

/** Enclaves of Anjuna by their provisioning files, and a read API in the shape of Vault; off unless SIEGEL_ANJUNA says otherwise. */
@Module({
  controllers: [ProvisioningController, VaultController],
  providers: [LoginProofs, VaultLanguage, VaultSessions],
})
export class AnjunaModule {}
