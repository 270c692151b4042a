import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { VaultsConfigInput } from '#vault';
import { RunningSiegel, startSiegel, temporaryFolder } from './harness/index.js';
import { ClientFiles, FakeAzure, SdkClients, type FakeAzureOptions } from './fake-azure/index.js';

/** A fake of Azure with everything that reaches it, in a folder that goes away with it. */
export class AzureWorld {
  readonly files: ClientFiles;
  readonly sdk: SdkClients;

  private constructor(
    readonly fake: FakeAzure,
    readonly dir: string,
    vault: string,
  ) {
    this.files = new ClientFiles(fake, join(dir, 'client'));
    this.sdk = new SdkClients(fake, vault, join(dir, 'sdk'));
  }

  /** @param options its first vault is the one that `sdk` talks to */
  static async start(options: FakeAzureOptions & { vaults: readonly string[] }): Promise<AzureWorld> {
    const dir = temporaryFolder();
    mkdirSync(join(dir, 'sdk'), { recursive: true });
    return new AzureWorld(await FakeAzure.start(options), dir, options.vaults[0]!);
  }

  /** A deployment with these vaults beside its embedded one. */
  deploy(vaults: VaultsConfigInput, args: readonly string[] = []): Promise<RunningSiegel> {
    return startSiegel({ args: ['--vaults', this.write('vaults.json', vaults), ...args] });
  }

  write(name: string, content: unknown): string {
    const path = join(this.dir, name);
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content), { mode: 0o600 });
    return path;
  }

  async stop(): Promise<void> {
    this.sdk.close();
    await this.fake.close();
  }
}

/** No value and no refusal is remembered: each request asks the vault. */
export const UNCACHED = { maxAgeSeconds: 0, denialAgeSeconds: 0, retainSeconds: 0, maxAttempts: 1 };
