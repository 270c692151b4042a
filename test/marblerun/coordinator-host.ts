import type { EventDraft } from '#emitter';
import { toPem } from '#pki';
import { VaultRegistry } from '#vault';
import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { issueMarbleCertificate } from '../../apps/key-release/src/wrappers/marblerun/activation/marble-certificate.js';
import { MarbleSecrets } from '../../apps/key-release/src/wrappers/marblerun/generation/secret-works.js';
import { ApiRouter } from '../../apps/key-release/src/wrappers/marblerun/rest/api-router.js';
import { ClientListener } from '../../apps/key-release/src/wrappers/marblerun/rest/client-listener.js';
import {
  QuoteSigner,
  type QuoteVerification,
} from '../../apps/key-release/src/wrappers/marblerun/rest/sign-quote.js';
import type { Coordinator } from '../../apps/key-release/src/wrappers/marblerun/state/coordinator.js';
import { readDeployments } from '../../apps/key-release/src/wrappers/marblerun/state/deployments-file.js';
import { openCoordinators } from '../../apps/key-release/src/wrappers/marblerun/state/open-coordinators.js';
import type { CoordinatorRegistry } from '../../apps/key-release/src/wrappers/marblerun/state/registry.js';
import { Operators } from '../../apps/key-release/src/wrappers/marblerun/users-roles/operators.js';
import type { ClientIdentity } from './rest-client.js';

export const ADMIN_TOKEN = 'an-admin-token-of-enough-characters';
const REFUSING: QuoteVerification = () => Promise.reject(new Error('nobody asked for a verification'));

/** Coordinators of several deployments on their real listener, their state in a folder, their events in a list in place of the log. */
export class CoordinatorHost {
  readonly dir = mkdtempSync(join(tmpdir(), 'siegel-marblerun-'));
  readonly events: EventDraft[] = [];
  /** What the log says to an event; throwing is an outage. */
  onEvent: (event: EventDraft) => void = () => undefined;
  verify: QuoteVerification = REFUSING;
  clock: () => Date = () => new Date();
  port = 0;
  private registry: CoordinatorRegistry | undefined;
  private listener: ClientListener | undefined;
  private readonly works: MarbleSecrets;

  private constructor(
    private readonly file: string,
    private readonly vaults: VaultRegistry,
  ) {
    this.works = new MarbleSecrets(vaults);
  }

  /** @param deployments as in SIEGEL_MARBLERUN_FILE */
  static async start(deployments: Readonly<Record<string, object>>): Promise<CoordinatorHost> {
    const vaults = await VaultRegistry.open({}, { baseDir: tmpdir() });
    const host = new CoordinatorHost('', vaults);
    const file = join(host.dir, 'deployments.json');
    writeFileSync(file, JSON.stringify({ deployments }));
    Object.assign(host, { file });
    await host.open();
    return host;
  }

  deployment(name: string): Coordinator {
    const found = this.registry?.all.find(({ settings }) => settings.name === name);
    if (!found) throw new Error(`no deployment ${name}`);
    return found;
  }

  /** Ends everything and begins again from the folder, some deployments having lost their sealing key. */
  async restart({ without = [] }: { without?: readonly string[] } = {}): Promise<void> {
    await this.end();
    for (const name of without) unlinkSync(join(this.sealDir(name), 'sealed_key'));
    await this.open();
  }

  sealDir(name: string): string {
    return join(this.dir, 'marblerun', name);
  }

  /** A certificate as an activation gives it, and its key. */
  async marble(deployment: string, type: string, uuid: string): Promise<ClientIdentity> {
    const { authority, settings } = this.deployment(deployment);
    const { material } = await issueMarbleCertificate(
      { dnsNames: ['localhost'], ipAddresses: [] },
      { type, uuid },
      authority.marbleRoot,
      settings.keys,
      new Date(),
    );
    return { cert: toPem('CERTIFICATE', material.certificate), key: toPem('PRIVATE KEY', material.private) };
  }

  async stop(): Promise<void> {
    await this.end();
    this.works.onModuleDestroy();
    await this.vaults.close();
    rmSync(this.dir, { recursive: true, force: true });
  }

  private async open(): Promise<void> {
    const audit = {
      available: true,
      record: (event: EventDraft) => {
        this.onEvent(event);
        this.events.push(event);
        return Promise.resolve({} as never);
      },
    };
    this.registry = await openCoordinators(
      readDeployments(this.file, this.dir, true),
      { audit, works: this.works, clock: () => this.clock() },
      this.vaults,
    );
    const quoteSigner = new QuoteSigner((input) => this.verify(input));
    this.listener = new ClientListener(
      this.registry,
      new ApiRouter(),
      (coordinator) => ({
        coordinator,
        quoteSigner,
        operators: Operators.of(coordinator.settings, ADMIN_TOKEN),
      }),
      { timeoutMs: 1_000, maxConnections: 64 },
    );
    this.port = await this.listener.listen(this.port, '127.0.0.1');
  }

  private async end(): Promise<void> {
    await this.listener?.close();
    for (const coordinator of this.registry?.all ?? []) await coordinator.close();
  }
}
