import { configuredBy } from '#platform';
import { Inject, Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../environment.js';
import { readKeysFile, type KeysConfiguration, type TenantKeys } from './keys-file.js';

/** Attestation services rotate their keys, and policies change: the files are looked at again this often. */
const RELOAD_MS = 30_000;

/** The keys that may be released and whose tokens count, from SIEGEL_AKV_KEYS_FILE; without it there are none. */
@Injectable()
export class KeyDirectory implements OnModuleDestroy {
  private readonly log = new Logger('akv-release');
  private readonly file: string | undefined;
  private current: KeysConfiguration | undefined;
  private readonly timer: NodeJS.Timeout | undefined;

  constructor(@Inject(KEY_RELEASE_ENVIRONMENT) environment: KeyReleaseEnvironment) {
    const file = environment.SIEGEL_AKV_KEYS_FILE;
    this.file = file;
    if (file === undefined) return;
    configuredBy('SIEGEL_AKV_KEYS_FILE', () => this.take(readKeysFile(file)));
    this.timer = setInterval(() => this.reload(), RELOAD_MS);
    this.timer.unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  tenant(name: string): TenantKeys | undefined {
    return this.current?.tenants.get(name);
  }

  get signing(): KeysConfiguration['signing'] {
    return this.current?.signing;
  }

  get resource(): string | undefined {
    return this.current?.resource;
  }

  /** Files that cannot be used change nothing: what was read before stays in force. */
  private reload(): void {
    if (this.file === undefined) return;
    try {
      const next = readKeysFile(this.file);
      if (next.digest === this.current?.digest) return;
      this.take(next);
      this.log.log({ msg: 'the keys file or a file that it names has changed', digest: next.digest });
    } catch (error) {
      this.log.error({ msg: `the keys file was not taken over: ${(error as Error).message}` });
    }
  }

  private take(configuration: KeysConfiguration): void {
    this.current = configuration;
    for (const { file, problem } of configuration.warnings)
      this.log.warn({ msg: `${file}:${problem.line}: ${problem.message}`, code: problem.code, file });
  }
}
