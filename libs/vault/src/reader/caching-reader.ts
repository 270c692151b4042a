import { LRUCache } from 'lru-cache';
import { SYSTEM_CLOCK, type Clock } from '../clock.js';
import { VaultError, type VaultErrorCode } from '../errors.js';
import { checkObjectName, checkObjectVersion, foldObjectName } from '../object-names.js';
import type {
  CertificateValue,
  ObjectRef,
  ReadOptions,
  SecretProperties,
  SecretSource,
  SecretValue,
  VaultHealth,
} from '../secret-source.js';
import { checkWindow } from '../validity.js';
import type { CircuitState } from './circuit-breaker.js';
import { Flight, type Landed } from './flight.js';
import { ReadGate } from './read-gate.js';
import { ReaderSettings, type ReaderSettingsInput } from './reader-options.js';
import { copyOf, ValueCache, type CachedKind, type CachedValue, type CacheEntry } from './value-cache.js';

export interface CachingReaderOptions extends ReaderSettingsInput {
  readonly clock?: Clock;
  /** Uniform in [0, 1), for jitter. */
  readonly random?: () => number;
}

/** Counters since the start, and the state now. */
export interface ReaderStats {
  /** Requests to the vault, retries included. */
  readonly vaultReads: number;
  readonly throttled: number;
  readonly failed: number;
  readonly hits: number;
  /** Callers who waited for a read that another caller had begun. */
  readonly joined: number;
  readonly staleServed: number;
  readonly entries: number;
  readonly bytes: number;
  readonly circuit: CircuitState;
}

/** Refusals that say nothing lasting about the object: they are not remembered. */
const PASSING: ReadonlySet<VaultErrorCode> = new Set<VaultErrorCode>(['VAULT_ABORTED', 'VAULT_CLOSED']);
/** Refusals that come from the way to the vault, not from the vault: what is cached stays. */
const NOT_OF_THE_VAULT: ReadonlySet<VaultErrorCode> = new Set<VaultErrorCode>([
  'VAULT_TLS_UNTRUSTED',
  'VAULT_MISCONFIGURED',
]);
const SWEEP_MS = 30_000;

/**
 * One reader of a vault for a whole fleet: a versioned cache in memory, one read under way for each object, the vault's budget
 * kept, and values that stand in for a vault that cannot answer, no older than each caller accepts.
 */
export class CachingReader implements SecretSource {
  readonly name: string;
  readonly kind: string;
  readonly settings: ReaderSettings;
  readonly listSecrets?: (options?: { signal?: AbortSignal }) => AsyncIterable<SecretProperties>;
  private readonly clock: Clock;
  private readonly cache: ValueCache;
  private readonly denials: LRUCache<string, { error: VaultError; at: number }>;
  private readonly gate: ReadGate;
  private readonly flights = new Map<string, Flight<CachedKind>>();
  private readonly closing = new AbortController();
  private readonly endSweep: () => void;
  private count = { hits: 0, joined: 0, staleServed: 0 };

  constructor(
    private readonly source: SecretSource,
    options: CachingReaderOptions = {},
  ) {
    const { clock = SYSTEM_CLOCK, random = Math.random, ...settings } = options;
    this.name = source.name;
    this.kind = source.kind;
    this.clock = clock;
    this.settings = ReaderSettings.parse(settings);
    this.cache = new ValueCache(this.settings);
    this.denials = new LRUCache({ max: this.settings.maxEntries });
    this.gate = new ReadGate(this.name, this.settings, clock, random);
    this.endSweep = clock.every(SWEEP_MS, () => this.sweep());
    if (source.listSecrets !== undefined)
      this.listSecrets = (listOptions) => source.listSecrets!(listOptions);
  }

  getSecret(ref: ObjectRef, options: ReadOptions = {}): Promise<SecretValue> {
    return this.read('secret', ref, options);
  }

  getCertificate(ref: ObjectRef, options: ReadOptions = {}): Promise<CertificateValue> {
    return this.read('certificate', ref, options);
  }

  /** A change of this object was announced: the next read goes to the vault. */
  invalidate(objectName: string): void {
    this.cache.outdate(objectName);
    const folded = foldObjectName(objectName);
    for (const [key, flight] of this.flights) if (objectOfKey(key) === folded) flight.announceChange();
    for (const key of [...this.denials.keys()]) if (objectOfKey(key) === folded) this.denials.delete(key);
  }

  stats(): ReaderStats {
    const { reads, throttled, failed } = this.gate.counts;
    const { entries, bytes } = this.cache;
    return { vaultReads: reads, throttled, failed, ...this.count, entries, bytes, circuit: this.gate.state };
  }

  check(options?: { signal?: AbortSignal }): Promise<VaultHealth> {
    return this.source.check(options);
  }

  async close(): Promise<void> {
    if (this.closing.signal.aborted) return;
    this.closing.abort();
    this.endSweep();
    this.cache.clear();
    this.denials.clear();
    await this.source.close();
  }

  private async read<K extends CachedKind>(
    kind: K,
    ref: ObjectRef,
    options: ReadOptions,
  ): Promise<CachedValue<K>> {
    checkObjectName(ref.objectName, this.name);
    if (ref.objectVersion !== undefined) checkObjectVersion(ref.objectVersion, this.name);
    if (this.closing.signal.aborted) {
      throw new VaultError('VAULT_CLOSED', `vault "${this.name}" is closed`, { vault: this.name });
    }
    const askedAt = this.clock.monotonic();
    const fresh = options.refresh === true ? undefined : this.fresh(kind, ref);
    if (fresh !== undefined) {
      this.count.hits++;
      return this.serve(ref, fresh, options, false);
    }
    if (options.refresh !== true) this.throwRememberedDenial(kind, ref);
    if (this.gate.holding) {
      const standIn = this.standIn(kind, ref, options);
      if (standIn !== undefined) return standIn;
    }
    return this.await(kind, ref, options, askedAt);
  }

  private async await<K extends CachedKind>(
    kind: K,
    ref: ObjectRef,
    options: ReadOptions,
    askedAt: number,
  ): Promise<CachedValue<K>> {
    for (;;) {
      const flight = this.flightFor(kind, ref);
      if (!flight.satisfies(askedAt, options.refresh === true)) {
        // It left before the change that this caller knows of: wait for its end, then read again.
        await abortable(flight.result.then(ignore, ignore), options.signal, this.name);
        continue;
      }
      flight.join();
      try {
        const fallback = this.standInAge(kind, ref, options) !== undefined;
        const { value, readAt } = await abortable(
          fallback ? flight.firstOutcome : flight.result,
          options.signal,
          this.name,
        );
        return this.serve(ref, { kind, value, readAt }, options, false);
      } catch (error) {
        const standIn =
          error instanceof VaultError && error.outage ? this.standIn(kind, ref, options) : undefined;
        if (standIn === undefined) throw error;
        return standIn;
      } finally {
        flight.leave();
      }
    }
  }

  /** The read that is under way for this object, or a new one. */
  private flightFor<K extends CachedKind>(kind: K, ref: ObjectRef): Flight<K> {
    const key = keyOf(kind, ref);
    const existing = this.flights.get(key) as Flight<K> | undefined;
    if (existing !== undefined) {
      this.count.joined++;
      return existing;
    }
    const flight = new Flight<K>();
    this.flights.set(key, flight as unknown as Flight<CachedKind>);
    void this.fly(kind, ref, key, flight);
    return flight;
  }

  private async fly<K extends CachedKind>(
    kind: K,
    ref: ObjectRef,
    key: string,
    flight: Flight<K>,
  ): Promise<void> {
    try {
      const { value, sentAt } = await this.gate.run(
        (signal) => this.readSource(kind, ref, signal),
        this.closing.signal,
        { sent: (at) => flight.sent(at), failed: (error) => flight.attemptFailed(error) },
      );
      this.flights.delete(key);
      this.land(kind, ref, key, flight, { value, readAt: sentAt });
    } catch (error) {
      this.flights.delete(key);
      if (error instanceof VaultError && !error.outage) this.remember(ref, key, error);
      flight.failed(error);
    }
  }

  /** `exp` is judged for each caller, since some may have expired values; the rest of the window by the source. */
  private readSource<K extends CachedKind>(
    kind: K,
    ref: ObjectRef,
    signal: AbortSignal,
  ): Promise<CachedValue<K>> {
    const options = { signal, allowExpired: true };
    const read =
      kind === 'secret' ? this.source.getSecret(ref, options) : this.source.getCertificate(ref, options);
    return read as Promise<CachedValue<K>>;
  }

  private land<K extends CachedKind>(
    kind: K,
    ref: ObjectRef,
    key: string,
    flight: Flight<K>,
    landed: Landed<K>,
  ): void {
    const { value, readAt } = landed;
    this.denials.delete(key);
    if (!this.closing.signal.aborted) {
      // The cache gets bytes of its own: it may evict, and so zero, them before every waiting caller has copied his.
      this.cache.put(ref, { kind, value: copyOf(kind, value), readAt } as CacheEntry);
      if (flight.isOutdated) this.cache.outdate(ref.objectName);
    }
    const bytes =
      kind === 'secret' ? (value as SecretValue).value : (value as CertificateValue).privateKeyPem;
    flight.landed(landed, () => bytes.fill(0));
  }

  private remember(ref: ObjectRef, key: string, error: VaultError): void {
    if (PASSING.has(error.code)) return;
    this.denials.set(key, { error, at: this.clock.monotonic() });
    if (!NOT_OF_THE_VAULT.has(error.code)) this.cache.evict(ref.objectName, ref.objectVersion);
  }

  private throwRememberedDenial(kind: CachedKind, ref: ObjectRef): void {
    const denial = this.denials.get(keyOf(kind, ref));
    if (denial === undefined) return;
    if (this.clock.monotonic() - denial.at > this.settings.denialAgeSeconds * 1_000) return;
    const { code, message, details } = denial.error;
    throw new VaultError(code, message, details);
  }

  private fresh<K extends CachedKind>(kind: K, ref: ObjectRef): CacheEntry<K> | undefined {
    const slot = this.cache.get(kind, ref);
    if (slot === undefined || slot.outdated) return undefined;
    return this.ageOf(slot.entry) <= this.settings.maxAgeSeconds ? slot.entry : undefined;
  }

  /** Age in seconds of a value that may stand in for the vault's answer to this caller. */
  private standInAge(kind: CachedKind, ref: ObjectRef, options: ReadOptions): number | undefined {
    const slot = this.cache.get(kind, ref);
    if (slot === undefined || options.refresh === true) return undefined;
    const age = this.ageOf(slot.entry);
    return age <= Math.min(options.maxStaleSeconds ?? 0, this.settings.retainSeconds) ? age : undefined;
  }

  private standIn<K extends CachedKind>(
    kind: K,
    ref: ObjectRef,
    options: ReadOptions,
  ): CachedValue<K> | undefined {
    if (this.standInAge(kind, ref, options) === undefined) return undefined;
    const slot = this.cache.get(kind, ref);
    if (slot === undefined) return undefined;
    this.count.staleServed++;
    return this.serve(ref, slot.entry, options, true);
  }

  /** A copy for one caller, if the window of the value allows it now. */
  private serve<K extends CachedKind>(
    ref: ObjectRef,
    { kind, value, readAt }: CacheEntry<K>,
    options: ReadOptions,
    stale: boolean,
  ): CachedValue<K> {
    const requestId = value.requestId === undefined ? {} : { requestId: value.requestId };
    const details = {
      vault: this.name,
      objectName: ref.objectName,
      objectVersion: value.version,
      ...requestId,
    };
    checkWindow(
      windowOf(kind, value),
      this.clock.now(),
      `${kind} "${ref.objectName}"`,
      details,
      options.allowExpired,
    );
    const ageSeconds = Math.max(0, (this.clock.monotonic() - readAt) / 1_000);
    return { ...copyOf(kind, value), ageSeconds, ...(stale ? { stale } : {}) };
  }

  private ageOf(entry: CacheEntry): number {
    return (this.clock.monotonic() - entry.readAt) / 1_000;
  }

  private sweep(): void {
    const longest = Math.max(this.settings.maxAgeSeconds, this.settings.retainSeconds);
    this.cache.evictOlderThan(this.clock.monotonic() - longest * 1_000);
  }
}

function windowOf(
  kind: CachedKind,
  value: SecretValue | CertificateValue,
): { enabled: boolean; notBefore?: Date | undefined; expiresOn?: Date | undefined } {
  const { enabled, notBefore } = value;
  const expiresOn =
    kind === 'secret' ? (value as SecretValue).expiresOn : (value as CertificateValue).notAfter;
  return { enabled, notBefore, expiresOn };
}

const keyOf = (kind: CachedKind, ref: ObjectRef): string =>
  `${kind}/${foldObjectName(ref.objectName)}/${ref.objectVersion ?? ''}`;

const objectOfKey = (key: string): string | undefined => key.split('/')[1];

const ignore = (): void => undefined;

/** Waits for a promise, but no longer than the caller. */
async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined, vault: string): Promise<T> {
  if (signal === undefined) return promise;
  const gaveUp = Promise.withResolvers<never>();
  const giveUp = (): void => gaveUp.reject(new VaultError('VAULT_ABORTED', 'the caller gave up', { vault }));
  if (signal.aborted) giveUp();
  else signal.addEventListener('abort', giveUp, { once: true });
  try {
    return await Promise.race([promise, gaveUp.promise]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}
