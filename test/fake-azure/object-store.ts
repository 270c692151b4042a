import type { FakeClock } from './fake-clock.js';
import type { Attributes, Tags } from './object-attributes.js';
import { badParameter, KeyVaultError, newVersion } from './wire.js';

export interface Version<T> {
  readonly version: string;
  attributes: Attributes;
  tags?: Tags | undefined;
  data: T;
}

export interface StoredObject<T> {
  readonly name: string;
  /** Oldest first. */
  readonly versions: Version<T>[];
}

export interface DeletedObject<T> extends StoredObject<T> {
  readonly deletedDate: number;
  readonly scheduledPurgeDate: number;
}

export interface ObjectKind {
  /** `Secret`, `Key`, `Certificate`: the prefix of error codes. */
  readonly title: string;
  /** `secrets`, `keys`, `certificates`. */
  readonly plural: string;
}

/** Versioned objects of one kind with soft delete, as every kind of Key Vault has them. */
export class ObjectStore<T> {
  private readonly live = new Map<string, StoredObject<T>>();
  private readonly deleted = new Map<string, DeletedObject<T>>();

  constructor(
    readonly kind: ObjectKind,
    private readonly clock: FakeClock,
    readonly recoverableDays: number,
  ) {}

  /** The stated version, or the latest. @throws KeyVaultError 404 */
  version(name: string, version?: string): { name: string; version: Version<T> } {
    const object = this.object(name);
    const found =
      version === undefined
        ? object.versions.at(-1)
        : object.versions.find((candidate) => candidate.version === version.toLowerCase());
    if (found === undefined) throw this.notFound(name);
    return { name: object.name, version: found };
  }

  object(name: string): StoredObject<T> {
    const object = this.live.get(name.toLowerCase());
    if (object === undefined) throw this.notFound(name);
    return object;
  }

  has(name: string): boolean {
    return this.live.has(name.toLowerCase());
  }

  all(): readonly StoredObject<T>[] {
    return [...this.live.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** @throws KeyVaultError 409 while the name is soft-deleted */
  add(name: string, attributes: Attributes, tags: Tags | undefined, data: T, id = newVersion()): Version<T> {
    this.requireFree(name);
    const key = name.toLowerCase();
    const object = this.live.get(key) ?? { name, versions: [] };
    const version: Version<T> = { version: id, attributes, tags, data };
    object.versions.push(version);
    this.live.set(key, object);
    return version;
  }

  delete(name: string): DeletedObject<T> {
    const object = this.object(name);
    const deletedDate = this.clock.seconds();
    const scheduledPurgeDate = deletedDate + this.recoverableDays * 86_400;
    const deleted = { ...object, deletedDate, scheduledPurgeDate };
    this.live.delete(name.toLowerCase());
    this.deleted.set(name.toLowerCase(), deleted);
    return deleted;
  }

  deletedObject(name: string): DeletedObject<T> {
    this.purgeOverdue();
    const object = this.deleted.get(name.toLowerCase());
    if (object === undefined) throw this.notFound(name, 'Deleted ');
    return object;
  }

  allDeleted(): readonly DeletedObject<T>[] {
    this.purgeOverdue();
    return [...this.deleted.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  recover(name: string): StoredObject<T> {
    const { deletedDate: _, scheduledPurgeDate: __, ...object } = this.deletedObject(name);
    this.deleted.delete(name.toLowerCase());
    this.live.set(name.toLowerCase(), object);
    return object;
  }

  purge(name: string): void {
    this.deletedObject(name);
    this.deleted.delete(name.toLowerCase());
  }

  /** Puts back a backup, all versions at once. @throws KeyVaultError 409 when the name exists */
  restore(object: StoredObject<T>): void {
    this.requireFree(object.name);
    if (this.has(object.name)) {
      throw new KeyVaultError(409, 'Conflict', `${this.kind.title} ${object.name} already exists.`);
    }
    this.live.set(object.name.toLowerCase(), object);
  }

  requireFree(name: string): void {
    this.purgeOverdue();
    if (!this.deleted.has(name.toLowerCase())) return;
    const { title } = this.kind;
    throw new KeyVaultError(
      409,
      'Conflict',
      `${title} ${name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the ${title.toLowerCase()} can only be recovered or purged.`,
      'ObjectIsDeletedButRecoverable',
    );
  }

  /** @throws KeyVaultError 403 */
  requireEnabled(version: Version<T>, operation: string): void {
    if (version.attributes.enabled) return;
    const { title } = this.kind;
    const message = `Operation ${operation} is not allowed on a disabled ${title.toLowerCase()}.`;
    throw new KeyVaultError(403, 'Forbidden', message, `${title}Disabled`);
  }

  private notFound(name: string, prefix = ''): KeyVaultError {
    const { title } = this.kind;
    const message = `A ${prefix.toLowerCase()}${title.toLowerCase()} with (name/id) ${name} was not found in this key vault. If you recently deleted this ${title.toLowerCase()} you may be able to recover it using the correct recovery command.`;
    return new KeyVaultError(404, `${title}NotFound`, message);
  }

  private purgeOverdue(): void {
    const now = this.clock.seconds();
    for (const [key, object] of this.deleted) if (object.scheduledPurgeDate <= now) this.deleted.delete(key);
  }
}

const DEFAULT_PAGE = 25;

/** One page of a list with its `nextLink`, as every list of Key Vault. */
export function pageOf<T>(
  items: readonly T[],
  query: URLSearchParams,
  link: string,
  render: (item: T) => unknown,
): { value: unknown[]; nextLink: string | null } {
  const size = Number(query.get('maxresults') ?? DEFAULT_PAGE);
  const start = Number(query.get('$skiptoken') ?? 0);
  if (!Number.isInteger(size) || size < 1 || size > DEFAULT_PAGE)
    throw badParameter('Invalid value for maxresults.');
  if (!Number.isInteger(start) || start < 0) throw badParameter('Invalid skip token.');
  const next = start + size;
  const rest = new URLSearchParams({
    'api-version': query.get('api-version') ?? '',
    $skiptoken: String(next),
    maxresults: String(size),
  });
  return {
    value: items.slice(start, next).map(render),
    nextLink: next < items.length ? `${link}?${rest.toString()}` : null,
  };
}
