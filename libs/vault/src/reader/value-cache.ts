import { LRUCache } from 'lru-cache';
import { foldObjectName } from '../object-names.js';
import type { CertificateValue, ObjectRef, SecretValue } from '../secret-source.js';

export type CachedKind = 'secret' | 'certificate';
export type CachedValue<K extends CachedKind> = K extends 'secret' ? SecretValue : CertificateValue;

export interface CacheEntry<K extends CachedKind = CachedKind> {
  readonly kind: K;
  readonly value: CachedValue<K>;
  /** Monotonic milliseconds at which the read was sent: the value is at least as old as that. */
  readonly readAt: number;
}

export interface ValueCacheOptions {
  readonly maxEntries: number;
  readonly maxBytes: number;
}

/** Two keys for each read: the version that came, and "latest" where that was asked for. */
interface Slot {
  entry: CacheEntry;
  /** Something says that there is a newer state; good only as a stand-in during an outage. */
  outdated: boolean;
}

/** Secrets in memory, by object and version, within a bound. What leaves the cache is overwritten with zeros. */
export class ValueCache {
  private readonly slots: LRUCache<string, Slot>;

  constructor(options: ValueCacheOptions) {
    this.slots = new LRUCache<string, Slot>({
      max: options.maxEntries,
      maxSize: options.maxBytes,
      sizeCalculation: ({ entry }) => 512 + secretBytes(entry).length,
      dispose: ({ entry }) => secretBytes(entry).fill(0),
    });
  }

  /** The entry, also where it is outdated. */
  get<K extends CachedKind>(
    kind: K,
    ref: ObjectRef,
  ): { entry: CacheEntry<K>; outdated: boolean } | undefined {
    return this.slots.get(keyOf(kind, ref.objectName, ref.objectVersion)) as
      { entry: CacheEntry<K>; outdated: boolean } | undefined;
  }

  /** Takes over a value that was read; the cache owns its bytes from here on. */
  put(ref: ObjectRef, entry: CacheEntry): void {
    const { kind, value } = entry;
    this.store(keyOf(kind, ref.objectName, value.version), entry);
    // A copy of its own: the two slots are evicted, and zeroed, apart from each other.
    if (ref.objectVersion === undefined)
      this.store(keyOf(kind, ref.objectName), { ...entry, value: copyOf(kind, value) });
  }

  /** All versions of an object must be read again. */
  outdate(objectName: string): void {
    for (const key of this.keysOf(objectName)) {
      const slot = this.slots.peek(key);
      if (slot !== undefined) slot.outdated = true;
    }
  }

  /** Forgets all versions of an object, or one of them together with "latest" where that is the same version. */
  evict(objectName: string, objectVersion?: string): void {
    for (const key of this.keysOf(objectName)) {
      const version = this.slots.peek(key)?.entry.value.version;
      if (objectVersion === undefined || version === objectVersion) this.slots.delete(key);
    }
  }

  /** Forgets what was read before a moment. */
  evictOlderThan(monotonic: number): void {
    for (const [key, { entry }] of this.slots.entries()) if (entry.readAt < monotonic) this.slots.delete(key);
  }

  clear(): void {
    this.slots.clear();
  }

  get entries(): number {
    return this.slots.size;
  }

  get bytes(): number {
    return this.slots.calculatedSize;
  }

  private store(key: string, entry: CacheEntry): void {
    // Deleting first makes lru-cache dispose of the bytes it held under this key.
    this.slots.delete(key);
    this.slots.set(key, { entry, outdated: false });
  }

  private keysOf(objectName: string): string[] {
    const prefixes = (['secret', 'certificate'] as const).map((kind) => keyOf(kind, objectName));
    return [...this.slots.keys()].filter((key) => prefixes.some((prefix) => key.startsWith(prefix)));
  }
}

/** A copy whose secret bytes are the caller's own. */
export function copyOf<K extends CachedKind>(kind: K, value: CachedValue<K>): CachedValue<K> {
  if (kind === 'secret') {
    const secret = value as SecretValue;
    return { ...secret, value: Buffer.from(secret.value) } as CachedValue<K>;
  }
  const certificate = value as CertificateValue;
  return { ...certificate, privateKeyPem: Buffer.from(certificate.privateKeyPem) } as CachedValue<K>;
}

const secretBytes = ({ kind, value }: CacheEntry): Buffer =>
  kind === 'secret' ? (value as SecretValue).value : (value as CertificateValue).privateKeyPem;

// A name cannot hold a slash, so no key is the beginning of another object's key.
const keyOf = (kind: CachedKind, objectName: string, objectVersion = ''): string =>
  `${kind}/${foldObjectName(objectName)}/${objectVersion}`;
