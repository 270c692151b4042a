import { SiegelError } from '#contracts';
import type { AuditEmitter, EventDraft } from '#emitter';
import { randomBytes } from 'node:crypto';
import { CoordinatorError } from '../coordinator-error.js';
import type {
  ActivationTicket,
  CoordinatorAuthority,
  CoordinatorQuoteProvider,
  CoordinatorState,
  Deployment,
  DeploymentSnapshot,
  SecretWorks,
} from '../interface.js';
import { AttemptLimit } from '../../../pipeline/attempt-limit.js';
import { RecoverySession } from '../recovery/recovery-session.js';
import type { RecoverySetup } from '../recovery/recovery-shares.js';
import { ActivationCounts } from './activation-counts.js';
import { createAuthority } from './authority.js';
import { type CoordinatorData, effectiveManifest } from './coordinator-data.js';
import type { DeploymentOptions } from './deployments-file.js';
import type { SealStore } from './seal-store.js';

/** What a coordinator needs of the service around it. */
export interface CoordinatorPorts {
  readonly audit: Pick<AuditEmitter, 'record' | 'available'>;
  readonly works: SecretWorks;
  readonly quotes: CoordinatorQuoteProvider;
  readonly clock: () => Date;
}

/** One change of state: logged, sealed, then in force. */
export interface Change<T> {
  readonly data: Omit<CoordinatorData, 'revision'>;
  readonly value: T;
  /** Logged before the change is made; the change is not made if the log does not promise to keep them. */
  readonly events: readonly EventDraft[];
  /** A new sealing key with its recovery shares. */
  readonly recovery?: RecoverySetup | undefined;
}

export const WRONG_STATE = 'server is not in expected state';

/** A recovery that is waited for: the state is there, its key is not. */
interface Waiting {
  readonly session: RecoverySession;
  readonly attempts: AttemptLimit;
  /** Serves TLS meanwhile; gone with the recovery. */
  readonly authority: CoordinatorAuthority;
  readonly why: string;
}

/**
 * One MarbleRun coordinator: its state, and the one way to change it. Changes run one after another; readers and activations use immutable
 * snapshots and wait for nobody.
 */
export class Coordinator implements Deployment {
  private data: CoordinatorData | undefined;
  private waiting: Waiting | undefined;
  private queue: Promise<unknown> = Promise.resolve();
  private shown: { readonly data: CoordinatorData; readonly snapshot: DeploymentSnapshot } | undefined;
  private readonly counts: ActivationCounts;

  private constructor(
    readonly settings: DeploymentOptions,
    private readonly store: SealStore,
    readonly ports: CoordinatorPorts,
  ) {
    this.counts = new ActivationCounts(this);
  }

  static async open(
    settings: DeploymentOptions,
    store: SealStore,
    ports: CoordinatorPorts,
  ): Promise<Coordinator> {
    const coordinator = new Coordinator(settings, store, ports);
    const loaded = await store.load();
    const now = ports.clock();
    if (loaded.kind === 'state') coordinator.data = loaded.data;
    else if (loaded.kind === 'sealed') {
      coordinator.waiting = {
        session: new RecoverySession(loaded.meta),
        attempts: new AttemptLimit(settings.recoveryAttemptsPerMinute, () => ports.clock().getTime()),
        authority: await createAuthority(settings.keys, settings.names, now),
        why: loaded.why,
      };
    } else {
      const data = initialData(await createAuthority(settings.keys, settings.names, now));
      await store.save(data);
      coordinator.data = data;
    }
    return coordinator;
  }

  get state(): CoordinatorState {
    if (this.waiting) return 'Recovery';
    if (!this.data) return 'Uninitialized';
    return this.data.manifest === undefined ? 'AcceptingManifest' : 'AcceptingMarbles';
  }

  /** In force; while a recovery is waited for a temporary one. */
  get authority(): CoordinatorAuthority {
    const authority = this.data?.authority ?? this.waiting?.authority;
    if (!authority) throw new CoordinatorError('WRONG_STATE', WRONG_STATE);
    return authority;
  }

  /** The state as it is; undefined while a recovery is waited for. */
  get current(): CoordinatorData | undefined {
    return this.data;
  }

  /** @throws CoordinatorError WRONG_STATE */
  get recovery(): Waiting {
    if (!this.waiting) throw new CoordinatorError('WRONG_STATE', WRONG_STATE);
    return this.waiting;
  }

  /** The state with a manifest in force. @throws CoordinatorError WRONG_STATE */
  requireManifest(): CoordinatorData & { readonly manifest: NonNullable<CoordinatorData['manifest']> } {
    const { data } = this;
    if (!data || !hasManifest(data)) throw new CoordinatorError('WRONG_STATE', WRONG_STATE);
    return data;
  }

  snapshot(): DeploymentSnapshot {
    const data = this.requireManifest();
    // Counts and log lines change the data, not what an activation sees: then what is compiled for the manifest stays valid.
    if (this.shown && sameForMarbles(this.shown.data, data)) return this.shown.snapshot;
    const manifest = effectiveManifest(data.manifest, data.securityVersions);
    const { previous } = data;
    const snapshot: DeploymentSnapshot = {
      manifest,
      fingerprint: data.manifest.fingerprint,
      revision: data.revision,
      authority: data.authority,
      current: { rootSecret: data.rootSecret, definitions: manifest.secrets, stored: data.stored },
      previous: previous && {
        rootSecret: previous.rootSecret,
        definitions: previous.definitions,
        stored: previous.stored,
      },
    };
    this.shown = { data, snapshot };
    return snapshot;
  }

  countActivation(marbleType: string): ActivationTicket {
    return this.counts.take(marbleType);
  }

  /**
   * Runs one change after those before it. The work sees the state as it then is; if it throws, nothing changes.
   * @throws SiegelError AUDIT_... where the log does not take the events
   */
  change<T>(work: (data: CoordinatorData) => Change<T> | Promise<Change<T>>): Promise<T> {
    return this.serially(async () => {
      if (!this.data) throw new CoordinatorError('WRONG_STATE', WRONG_STATE);
      return this.apply(this.data.revision, await work(this.data));
    });
  }

  /**
   * As {@link change}, but begins from nothing: a new root secret under the temporary certificates of a recovery that is given up.
   */
  startOver<T>(work: (data: CoordinatorData) => Change<T> | Promise<Change<T>>): Promise<T> {
    return this.serially(async () => {
      const { authority } = this.recovery;
      const change = await work(initialData(authority));
      return this.apply(0, change, () => this.store.setAside(this.ports.clock()));
    });
  }

  /** Takes a recovered key. @throws SealError, SiegelError; then the recovery goes on */
  recovered(key: Buffer, events: (data: CoordinatorData) => readonly EventDraft[]): Promise<CoordinatorData> {
    return this.serially(async () => {
      void this.recovery;
      const data = await this.store.recover(key, (found) => this.log(events(found)));
      this.data = data;
      this.waiting = undefined;
      return data;
    });
  }

  /** Events are promised by the log before anything that they tell of happens. */
  async log(events: readonly EventDraft[]): Promise<void> {
    if (events.length > 0 && !this.ports.audit.available) throw new SiegelError('AUDIT_UNAVAILABLE');
    for (const event of events) await this.ports.audit.record(event);
  }

  async close(): Promise<void> {
    await this.queue;
    this.store.close();
  }

  private async apply<T>(revision: number, change: Change<T>, before?: () => Promise<void>): Promise<T> {
    await this.log(change.events);
    // Looking at something is no change.
    if (change.data === this.data) return change.value;
    const data: CoordinatorData = { ...change.data, revision: revision + 1 };
    await before?.();
    await this.persist(data, change.recovery);
    this.data = data;
    this.waiting = undefined;
    return change.value;
  }

  private async persist(data: CoordinatorData, recovery: RecoverySetup | undefined): Promise<void> {
    if (!isForgetful(data))
      return recovery ? this.store.saveUnder(data, recovery.key, recovery.meta) : this.store.save(data);
    // Nothing but the identity outlives the process; what was kept before must not come back either.
    if (!this.data || !isForgetful(this.data)) await this.store.save(initialData(data.authority));
  }

  private serially<T>(work: () => Promise<T>): Promise<T> {
    const result = this.queue.then(work);
    this.queue = result.catch(() => undefined);
    return result;
  }
}

const hasManifest = (
  data: CoordinatorData,
): data is CoordinatorData & { readonly manifest: NonNullable<CoordinatorData['manifest']> } =>
  data.manifest !== undefined;

const isForgetful = ({ manifest }: CoordinatorData): boolean =>
  manifest?.parsed.config.sealMode === 'Disabled';

const sameForMarbles = (a: CoordinatorData, b: CoordinatorData): boolean =>
  a === b ||
  (a.manifest === b.manifest &&
    a.securityVersions === b.securityVersions &&
    a.authority === b.authority &&
    a.rootSecret === b.rootSecret &&
    a.stored === b.stored &&
    a.previous === b.previous);

function initialData(authority: CoordinatorAuthority): CoordinatorData {
  return {
    revision: 1,
    authority,
    rootSecret: randomBytes(32),
    manifest: undefined,
    securityVersions: new Map(),
    stored: new Map(),
    previous: undefined,
    pending: undefined,
    log: [],
    activations: new Map(),
    counters: new Map(),
  };
}
