import type { AuditEvent } from '#contracts';
import type { PlatformOptions, QuoteRequest } from '#simulator';
import { expect } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EventTail, identityOf, type RunningSiegel, startSiegel, TENANT } from '../harness/index.js';
import type { Parameters } from './activation-messages.js';
import { CoordinatorClient } from './coordinator-client.js';
import { freePorts } from './free-ports.js';
import { type MarbleStart, NotActivated, type Quoting, startMarble } from './reference-marble.js';

/** How a start differs from that of an approved marble. */
export interface Change extends Partial<Omit<MarbleStart, 'port' | 'quoting' | 'type'>> {
  readonly report?: QuoteRequest;
  readonly machine?: PlatformOptions;
  readonly quoting?: Quoting | undefined;
}

/** A whole deployment that is the coordinator of several MarbleRun deployments. */
export class MarbleRunDeployment {
  private constructor(
    readonly siegel: RunningSiegel,
    readonly meshPort: number,
    readonly clientPort: number,
    readonly tail: EventTail,
    private readonly folder: string,
  ) {}

  /** @param deployments by name, members of the deployments file besides `tenant` */
  static async start(
    deployments: Readonly<Record<string, object>>,
    secrets: Readonly<Record<string, string>> = {},
  ): Promise<MarbleRunDeployment> {
    const folder = mkdtempSync(join(tmpdir(), 'siegel-marblerun-'));
    const [meshPort, clientPort] = (await freePorts(2)) as [number, number];
    const file = join(folder, 'deployments.json');
    const given = Object.entries(deployments).map(([name, one]) => [name, { tenant: TENANT, ...one }]);
    writeFileSync(file, JSON.stringify({ deployments: Object.fromEntries(given) as object }));
    const settings = {
      SIEGEL_MARBLERUN_FILE: file,
      SIEGEL_MARBLERUN_MESH_PORT: meshPort,
      SIEGEL_MARBLERUN_CLIENT_PORT: clientPort,
      SIEGEL_MARBLERUN_TIMEOUT_MS: 2_000,
    };
    try {
      const siegel = await startSiegel({
        args: Object.entries(settings).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
        secrets,
      });
      return new MarbleRunDeployment(siegel, meshPort, clientPort, await siegel.log.tail(), folder);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.siegel.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  client(host?: string): CoordinatorClient {
    return new CoordinatorClient(this.clientPort, host);
  }

  /** Quotes of an enclave of this word, on a machine of the deployment's platform family. */
  quoting(word: string, { report = {}, machine = {} }: Pick<Change, 'report' | 'machine'> = {}): Quoting {
    const platform = this.siegel.machines.sgx.platform({ name: 'demo', ...machine });
    return (reportData) => platform.quote({ ...identityOf(word), ...report, reportData } as QuoteRequest);
  }

  /** A marble of this type in an enclave of the word `app`. */
  run(type: string, { report, machine, ...change }: Change = {}): Promise<Parameters> {
    const quoting =
      'quoting' in change
        ? change.quoting
        : this.quoting('app', { ...(report ? { report } : {}), ...(machine ? { machine } : {}) });
    const { quoting: _given, ...others } = change;
    return startMarble({ port: this.meshPort, type, ...(quoting ? { quoting } : {}), ...others });
  }

  /** Attestations that were logged since the last look. */
  async last(): Promise<AuditEvent[]> {
    return (await this.tail.next()).filter(({ type }) => type.startsWith('attestation.'));
  }

  /** The attempt is refused by status, and exactly one event says why. */
  async refused(attempt: () => Promise<unknown>): Promise<{ told: NotActivated; event: AuditEvent }> {
    await this.tail.next();
    const told = await attempt().then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(told).toBeInstanceOf(NotActivated);
    const events = await this.last();
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      type: 'attestation.denied',
      outcome: 'denied',
      data: { protocol: 'marblerun' },
    });
    return { told: told as NotActivated, event: events[0]! };
  }
}
