import { AuditEmitter } from '#emitter';
import { LocalSigner } from '#pki';
import {
  ConfigurationError,
  configuredBy,
  type HealthRegistry,
  type NatsRequests,
  type Trust,
} from '#platform';
import { Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';
import type { Server } from 'node:https';
import { join } from 'node:path';
import type { Registry } from 'prom-client';
import type { CollateralService } from '../collateral/collateral.service.js';
import type { VerifierEnvironment } from '../config/environment.js';
import type { VerifyService } from '../verdict/verify.service.js';
import { MaaAttestation } from './attestation.service.js';
import { maaFront } from './http-front.js';
import { type MaaSettings, maaSettings } from './maa-environment.js';
import { MaaMetrics } from './maa-metrics.js';
import { MaaTenants } from './tenants-file.js';
import { tlsIdentity } from './tls-files.js';
import { TokenKeys } from './token-keys.js';

const MAINTENANCE_MS = 60_000;

/** What the listener is made of; all of it belongs to the service. */
export interface MaaSurroundings {
  readonly environment: VerifierEnvironment;
  readonly trust: Trust;
  readonly requests: NatsRequests;
  readonly verifier: VerifyService;
  readonly collateral: CollateralService;
  readonly health: HealthRegistry;
  readonly registry: Registry;
  readonly clock: () => Date;
}

/** Starts and ends the API of Microsoft Azure Attestation; does nothing where it has no port. */
export class MaaListener implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly log = new Logger('maa');
  private server: FastifyInstance | undefined;
  private emitter: AuditEmitter | undefined;
  private timer: NodeJS.Timeout | undefined;
  private keys: ReadonlyMap<string, TokenKeys> = new Map();
  private identity = '';

  constructor(private readonly surroundings: MaaSurroundings) {}

  async onApplicationBootstrap(): Promise<void> {
    const settings = maaSettings(this.surroundings.environment);
    if (settings === undefined) return;
    const { environment, verifier, collateral, health, registry, clock } = this.surroundings;
    const tenants = readTenants(settings.SIEGEL_MAA_TENANTS_FILE);
    this.warnOfMissingLogs(tenants, settings);
    const keys = await openKeys(tenants, settings, environment.SIEGEL_STATE_DIR, clock);
    this.keys = keys;
    const https = tlsIdentity(settings);
    this.identity = https.cert;
    const emitter = await this.openEmitter(settings);
    this.emitter = emitter;
    const server = maaFront({
      tenants,
      keys,
      attestation: new MaaAttestation(verifier, collateral, emitter, clock),
      metrics: new MaaMetrics(registry),
      https,
      maxInFlight: settings.SIEGEL_MAA_MAX_IN_FLIGHT,
      clock,
      onError: (msg, err) => this.log.error({ msg, err }),
    });
    this.server = server;
    await server.listen({
      port: settings.SIEGEL_MAA_PORT,
      host: settings.SIEGEL_MAA_HOST ?? environment.SIEGEL_HTTP_HOST,
    });
    health.register('maa', () => ({ ok: server.server.listening }));
    health.register('audit', () => ({ ok: emitter.available }));
    this.log.log(
      `API of Microsoft Azure Attestation for ${tenants.all.map(({ issuer }) => issuer).join(', ')}`,
    );
    this.timer = setInterval(() => void this.maintain(), MAINTENANCE_MS);
    this.timer.unref();
  }

  /** No new connections; answers under way are given, and their events have their promise. */
  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.server?.close();
    await this.emitter?.close();
  }

  /** Without a log there is no promise, and so no token: better known at the start than at the first attestation. */
  private warnOfMissingLogs(tenants: MaaTenants, settings: MaaSettings): void {
    const origins = new Set(this.surroundings.trust.logs.map(({ origin }) => origin));
    for (const { name } of tenants.all) {
      const origin = `${settings.SIEGEL_LOG_ORIGIN}/${name}`;
      if (!origins.has(origin))
        this.log.warn(
          `tenant ${name} has no log ${origin} in the trust file: its attestations will be refused`,
        );
    }
  }

  /** Every minute: keys rotate, and certificates are renewed in their files. What cannot be used changes nothing. */
  async maintain(): Promise<void> {
    const settings = maaSettings(this.surroundings.environment);
    if (settings === undefined || this.server === undefined) return;
    try {
      for (const each of this.keys.values()) await each.maintain();
      const identity = tlsIdentity(settings);
      if (identity.cert === this.identity) return;
      (this.server.server as unknown as Server).setSecureContext({ ...identity, minVersion: 'TLSv1.2' });
      this.identity = identity.cert;
      this.log.log('a new server certificate is in use');
    } catch (error) {
      this.log.error({ msg: `keys and certificate stay as they are: ${(error as Error).message}` });
    }
  }

  private async openEmitter(settings: MaaSettings): Promise<AuditEmitter> {
    const { requests, trust, environment } = this.surroundings;
    let key: LocalSigner;
    try {
      key = await LocalSigner.fromFile(settings.SIEGEL_EMITTER_KEY_FILE);
    } catch (error) {
      throw refuse('SIEGEL_EMITTER_KEY_FILE', (error as Error).message);
    }
    if (trust.emitters.get(key.kid)?.name !== EMITTER)
      throw refuse(
        'SIEGEL_EMITTER_KEY_FILE',
        `holds a key that the trust file does not list for the emitter ${EMITTER}`,
      );
    return new AuditEmitter(requests, {
      name: EMITTER,
      instance: environment.SIEGEL_INSTANCE,
      key,
      logs: trust.logs,
      originOf: (tenant) => `${settings.SIEGEL_LOG_ORIGIN}/${tenant}`,
      timeoutMs: settings.SIEGEL_AUDIT_TIMEOUT_MS,
      onError: (message) => this.log.error(message),
    });
  }
}

const EMITTER = 'quote-verifier';
const refuse = (variable: string, message: string): ConfigurationError =>
  new ConfigurationError([{ variable, message }]);

function readTenants(file: string): MaaTenants {
  return configuredBy('SIEGEL_MAA_TENANTS_FILE', () => MaaTenants.read(file));
}

async function openKeys(
  tenants: MaaTenants,
  settings: MaaSettings,
  stateDir: string,
  clock: () => Date,
): Promise<ReadonlyMap<string, TokenKeys>> {
  const dir = settings.SIEGEL_MAA_KEY_DIR ?? join(stateDir, 'maa-keys');
  const opened = new Map<string, TokenKeys>();
  for (const { name, issuer } of tenants.all) {
    try {
      const options = { dir: join(dir, name), issuer, days: settings.SIEGEL_MAA_KEY_DAYS, clock };
      opened.set(name, await TokenKeys.open(options));
    } catch (error) {
      throw refuse('SIEGEL_MAA_KEY_DIR', (error as Error).message);
    }
  }
  return opened;
}
