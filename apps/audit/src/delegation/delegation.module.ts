import { ConfigurationError, HealthRegistry } from '#platform';
import { isVaultError, readSignersFile, type SignersConfig, VaultSigningKey } from '#vault';
import {
  Inject,
  Injectable,
  Logger,
  Module,
  Optional,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { dirname, join } from 'node:path';
import { AUDIT_ENVIRONMENT, type AuditEnvironment } from '../audit-environment.js';
import { AuditLog } from '../audit-log.js';
import { DelegationController } from './delegation.controller.js';
import { LogDelegations } from './log-delegations.js';

const RETRY_MS = 30_000;

/**
 * Keeps the delegations fresh. The log never waits for the vault: without a delegation it goes on as before, and says so where it is
 * asked for one.
 */
@Injectable()
export class DelegationKeeper implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger('delegation');
  private key: VaultSigningKey | undefined;
  private retry: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(
    @Inject(AUDIT_ENVIRONMENT) private readonly environment: AuditEnvironment,
    @Inject(AuditLog) private readonly audit: AuditLog,
    @Optional() @Inject(LogDelegations) private readonly delegations: LogDelegations | undefined,
    health: HealthRegistry,
  ) {
    // Detail alone: a vault that is out of reach must not take the log out of service.
    if (delegations)
      health.register('delegation', () => ({ ok: true, detail: this.key ? 'by a vault key' : 'none yet' }));
  }

  onApplicationBootstrap(): void {
    const config = signersOf(this.environment).log;
    if (config && this.delegations) void this.start(config, this.delegations);
  }

  onApplicationShutdown(): void {
    this.closed = true;
    clearTimeout(this.retry);
    this.key?.close();
  }

  private record(key: VaultSigningKey): void {
    const versions = key.versions.map(({ version, signer: { kid } }) => ({ version, kid }));
    this.audit.sequencer.record({
      type: 'service.signer',
      tenant: this.audit.keys.logs[0]!.name,
      outcome: versions.length === 0 ? 'alert' : 'ok',
      data: { service: 'audit', signer: 'log', vault: key.azureName, keyName: key.keyName, versions },
    });
  }

  private async start(config: NonNullable<SignersConfig['log']>, delegations: LogDelegations): Promise<void> {
    const { delegationHours: _life, ...settings } = config;
    const renew = (key: VaultSigningKey): Promise<void> =>
      delegations.renew(
        key.versions.map(({ signer }) => signer),
        new Date(),
      );
    try {
      const key =
        this.key ??
        (await VaultSigningKey.open(settings, {
          baseDir: dirname(this.environment.SIEGEL_SIGNERS_FILE!),
          cacheFile: join(this.environment.SIEGEL_STATE_DIR, 'vault-key-log.json'),
        }));
      this.key = key;
      if (this.closed) return key.close();
      await renew(key);
      key.watch(
        (changed) => {
          if (changed) this.record(key);
          return renew(key);
        },
        (error) => this.log.error({ msg: 'the delegation was not renewed', err: error }),
      );
    } catch (error) {
      this.log.error({ msg: 'the vault key could not delegate to the log key', err: error });
      if (this.closed) return;
      this.retry = setTimeout(() => void this.start(config, delegations), RETRY_MS);
      this.retry.unref();
    }
  }
}

@Module({
  controllers: [DelegationController],
  providers: [
    {
      provide: LogDelegations,
      inject: [AUDIT_ENVIRONMENT, AuditLog],
      useFactory: (environment: AuditEnvironment, { keys }: AuditLog): LogDelegations | undefined => {
        const config = signersOf(environment).log;
        if (config === undefined) return undefined;
        return new LogDelegations({
          origins: keys.logs.map(({ origin }) => origin),
          logKeys: [keys.logKey, ...(keys.previous ? [keys.previous.privateKey] : [])],
          lifeSeconds: config.delegationHours * 3_600,
        });
      },
    },
    DelegationKeeper,
  ],
})
export class DelegationModule {}

function signersOf({ SIEGEL_SIGNERS_FILE: file }: AuditEnvironment): SignersConfig {
  if (file === undefined) return {};
  try {
    return readSignersFile(file);
  } catch (error) {
    if (!isVaultError(error)) throw error;
    throw new ConfigurationError([{ variable: 'SIEGEL_SIGNERS_FILE', message: error.message }]);
  }
}
